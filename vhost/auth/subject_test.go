package auth

import (
	"encoding/asn1"
	"strings"
	"testing"
	"unicode/utf8"

	"crypto/x509"
	"time"
)

// part is an attribute of a subject: its type, the kind of its string, its bytes.
type part struct {
	oid   asn1.ObjectIdentifier
	tag   int
	bytes string
}

var (
	typeCN = asn1.ObjectIdentifier{2, 5, 4, 3}
	typeO  = asn1.ObjectIdentifier{2, 5, 4, 10}
	typeC  = asn1.ObjectIdentifier{2, 5, 4, 6}
	typeDC = asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 25}
)

// subject encodes a name, each level of it a list of parts.
func subject(t testing.TB, levels ...[]part) []byte {
	t.Helper()
	var name []attributeSET
	for _, level := range levels {
		var set attributeSET
		for _, p := range level {
			set = append(set, attribute{p.oid, asn1.RawValue{Tag: p.tag, Bytes: []byte(p.bytes)}})
		}
		name = append(name, set)
	}
	b, err := asn1.Marshal(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func cn(text string) []part { return []part{{typeCN, asn1.TagUTF8String, text}} }

// nameCases are subjects and what RabbitMQ 3.10 (rabbit_cert_info:subject/1) prints
// for them.
func nameCases(t testing.TB) []struct {
	name string
	der  []byte
	want string
} {
	return []struct {
		name string
		der  []byte
		want string
	}{
		{"of one part", subject(t, cn("client")), "CN=client"},
		{"last part first", subject(t, []part{{typeC, asn1.TagPrintableString, "DE"}}, []part{{typeO, asn1.TagUTF8String, "Hasen"}}, cn("client")),
			"CN=client,O=Hasen,C=DE"},
		{"two at a level", subject(t, []part{{typeO, asn1.TagUTF8String, "x"}, {typeCN, asn1.TagUTF8String, "y"}}, cn("z")), "CN=z,CN=y+O=x"},
		{"two CN", subject(t, cn("a"), cn("b")), "CN=b,CN=a"},
		{"domain components", subject(t, []part{{typeDC, asn1.TagIA5String, "org"}}, []part{{typeDC, asn1.TagIA5String, "example"}}), "DC=example,DC=org"},
		{"e-mail address", subject(t, []part{{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}, asn1.TagIA5String, "a@b.c"}}), "EMAILADDRESS=a@b.c"},
		{"user id", subject(t, []part{{asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 1}, asn1.TagUTF8String, "u"}}), "UID=u"},
		{"serial number, title", subject(t, []part{{asn1.ObjectIdentifier{2, 5, 4, 5}, asn1.TagPrintableString, "17"}},
			[]part{{asn1.ObjectIdentifier{2, 5, 4, 12}, asn1.TagUTF8String, "Dr"}}), "TITLE=Dr,SERIALNUMBER=17"},
		{"special characters", subject(t, cn(`a+b,c;d<e>f"g\h=i#j`)), `CN=a\+b\,c\;d\<e\>f\"g\\h=i#j`},
		{"spaces at the ends", subject(t, cn(" a b ")), `CN=\ a b\ `},
		{"a space only", subject(t, cn(" ")), `CN=\ `},
		{"spaces only", subject(t, cn("   ")), `CN=\  \ `},
		{"number sign", subject(t, cn("#1")), `CN=\#1`},
		{"tilde and delete", subject(t, cn("a~b\x7f}")), `CN=a\7Eb\7F}`},
		{"control characters", subject(t, cn("a\x00b\nc\x1f")), `CN=a\00b\0Ac\1F`},
		{"UTF-8", subject(t, cn("Häsin")), `CN=H\C3\A4sin`},
		{"ISO 8859-1", subject(t, []part{{typeCN, asn1.TagT61String, "H\xe4sin"}}), `CN=H\C3\A4sin`},
		{"UCS-2", subject(t, []part{{typeCN, asn1.TagBMPString, "\x00H\x03\xbb"}}), `CN=H\CE\BB`},
		{"unknown type", subject(t, []part{{asn1.ObjectIdentifier{1, 2, 3, 4}, asn1.TagUTF8String, "v"}}), "1.2.3.4=v"},
		{"nothing", subject(t), ""},
	}
}

func TestDistinguishedName(t *testing.T) {
	for _, c := range nameCases(t) {
		if got := DistinguishedName(c.der); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

// RabbitMQ prints Erlang terms for these, or fails.
func TestDistinguishedNameOfWhatIsNoText(t *testing.T) {
	for _, c := range []struct {
		name string
		der  []byte
		want string
	}{
		{"UCS-4", subject(t, []part{{typeCN, tagUniversalString, "\x00\x00\x00H\x00\x01\xf4\x07"}}), `CN=H\F0\9F\90\87`},
		{"half a character", subject(t, []part{{typeCN, asn1.TagBMPString, "\x00H\x03"}}), "CN=#1e03004803"},
		{"three quarters", subject(t, []part{{typeCN, tagUniversalString, "\x00\x00\x00"}}), "CN=#1c03000000"},
		{"a number", subject(t, []part{{typeCN, asn1.TagInteger, "\x11"}}), "CN=#020111"},
		{"IA5 of unknown type", subject(t, []part{{asn1.ObjectIdentifier{1, 2, 3, 4}, asn1.TagIA5String, "v"}}), "1.2.3.4=v"},
		{"cut off", subject(t, cn("client"))[:10], ""},
		{"with something behind", append(subject(t, cn("client")), 0), ""},
	} {
		if got := DistinguishedName(c.der); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

func TestValidity(t *testing.T) {
	from := time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", 3600))
	got := Validity(&x509.Certificate{NotBefore: from, NotAfter: from.AddDate(30, 0, 0)})
	if want := "2026-01-02T02:04:05Z - 2056-01-02T02:04:05Z"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func FuzzDistinguishedName(f *testing.F) {
	for _, c := range nameCases(f) {
		f.Add(c.der)
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		s := DistinguishedName(der)
		if strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r >= '~' || r == utf8.RuneError }) >= 0 {
			t.Errorf("%q has what is not to be printed", s)
		}
		if again := DistinguishedName(der); again != s {
			t.Errorf("got %q and then %q", s, again)
		}
		for _, name := range commonNames(der) {
			var b strings.Builder
			escapeValue(&b, name)
			if !strings.Contains(s, "CN="+b.String()) {
				t.Errorf("the common name %q is not in %q", name, s)
			}
		}
	})
}
