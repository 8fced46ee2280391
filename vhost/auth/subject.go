package auth

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"unicode/utf16"
)

// attribute is one part of a distinguished name.
type attribute struct {
	Type  asn1.ObjectIdentifier
	Value asn1.RawValue
}

// attributeSET is what stands at one level of it: one attribute, as a rule. Its name
// tells package asn1 that it is a SET.
type attributeSET []attribute

// commonName is the type of CN.
const commonName = "2.5.4.3"

// attributeNames are RabbitMQ's names for types of attributes; others have their
// numbers.
var attributeNames = map[string]string{
	"2.5.4.4":                    "SN",
	"2.5.4.42":                   "GIVENNAME",
	"2.5.4.43":                   "INITIALS",
	"2.5.4.44":                   "GENERATIONQUALIFIER",
	commonName:                   "CN",
	"2.5.4.7":                    "L",
	"2.5.4.8":                    "ST",
	"2.5.4.10":                   "O",
	"2.5.4.11":                   "OU",
	"2.5.4.12":                   "TITLE",
	"2.5.4.6":                    "C",
	"2.5.4.5":                    "SERIALNUMBER",
	"2.5.4.65":                   "PSEUDONYM",
	"0.9.2342.19200300.100.1.25": "DC",
	"1.2.840.113549.1.9.1":       "EMAILADDRESS",
	"2.5.4.9":                    "STREET",
	"0.9.2342.19200300.100.1.1":  "UID",
}

// DistinguishedName prints the subject or issuer of a certificate, as in its
// RawSubject, the way RabbitMQ does: by RFC 4514, the last part first, with all that
// is not printable ASCII escaped byte by byte. What is no name is printed as
// nothing.
func DistinguishedName(raw []byte) string {
	name, err := parseName(raw)
	if err != nil {
		return ""
	}
	var b strings.Builder
	for i := len(name) - 1; i >= 0; i-- {
		for j, a := range name[i] {
			if j > 0 {
				b.WriteByte('+')
			}
			kind := a.Type.String()
			if known := attributeNames[kind]; known != "" {
				kind = known
			}
			b.WriteString(kind)
			b.WriteByte('=')
			if text, ok := directoryString(a.Value); ok {
				escapeValue(&b, text)
			} else {
				b.WriteString("#" + hex.EncodeToString(a.Value.FullBytes)) // RFC 4514, 2.4
			}
		}
		if i > 0 {
			b.WriteByte(',')
		}
	}
	return b.String()
}

func parseName(raw []byte) ([]attributeSET, error) {
	var name []attributeSET
	rest, err := asn1.Unmarshal(raw, &name)
	if err == nil && len(rest) > 0 {
		err = errors.New("something follows the name")
	}
	return name, err
}

// commonNames returns the values of all CN, the first first.
func commonNames(raw []byte) []string {
	name, err := parseName(raw)
	if err != nil {
		return nil
	}
	var out []string
	for _, set := range name {
		for _, a := range set {
			if a.Type.String() != commonName {
				continue
			}
			if text, ok := directoryString(a.Value); ok {
				out = append(out, text)
			}
		}
	}
	return out
}

// tagUniversalString is missing from package asn1.
const tagUniversalString = 28

// directoryString returns a string of any of ASN.1's kinds as UTF-8.
func directoryString(v asn1.RawValue) (string, bool) {
	if v.Class != asn1.ClassUniversal || v.IsCompound {
		return "", false
	}
	switch v.Tag {
	case asn1.TagPrintableString, asn1.TagIA5String, asn1.TagUTF8String, asn1.TagNumericString:
		return string(v.Bytes), true
	case asn1.TagT61String: // taken for ISO 8859-1, as everywhere
		runes := make([]rune, len(v.Bytes))
		for i, c := range v.Bytes {
			runes[i] = rune(c)
		}
		return string(runes), true
	case asn1.TagBMPString:
		if len(v.Bytes)%2 != 0 {
			return "", false
		}
		units := make([]uint16, len(v.Bytes)/2)
		for i := range units {
			units[i] = uint16(v.Bytes[2*i])<<8 | uint16(v.Bytes[2*i+1])
		}
		return string(utf16.Decode(units)), true
	case tagUniversalString:
		if len(v.Bytes)%4 != 0 {
			return "", false
		}
		runes := make([]rune, len(v.Bytes)/4)
		for i := range runes {
			b := v.Bytes[4*i:]
			runes[i] = rune(uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3]))
		}
		return string(runes), true
	}
	return "", false
}

// escapeValue writes the value of an attribute. RabbitMQ escapes the tilde too.
func escapeValue(b *strings.Builder, s string) {
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ' || c >= '~':
			fmt.Fprintf(b, `\%02X`, c)
		case strings.IndexByte(`"+,;<>\`, c) >= 0,
			i == 0 && (c == ' ' || c == '#'),
			i == len(s)-1 && c == ' ':
			b.WriteByte('\\')
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
}

// Validity prints from when to when a certificate is valid, as RabbitMQ does.
func Validity(cert *x509.Certificate) string {
	const layout = "2006-01-02T15:04:05Z"
	return cert.NotBefore.UTC().Format(layout) + " - " + cert.NotAfter.UTC().Format(layout)
}

// subjectAltName is the extension with the other names of a subject.
var subjectAltName = asn1.ObjectIdentifier{2, 5, 29, 17}

// altNames returns the names of a type in a certificate, the first first.
func altNames(extensions []pkix.Extension, tag int) []asn1.RawValue {
	var out []asn1.RawValue
	for _, e := range extensions {
		if !e.Id.Equal(subjectAltName) {
			continue
		}
		var all []asn1.RawValue
		if _, err := asn1.Unmarshal(e.Value, &all); err != nil {
			return nil
		}
		for _, v := range all {
			if v.Class == asn1.ClassContextSpecific && v.Tag == tag {
				out = append(out, v)
			}
		}
	}
	return out
}
