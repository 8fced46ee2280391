package auth

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"net"
	"strings"
)

// CertSource is where in a client certificate the name of the user is, by
// RabbitMQ's name for it (ssl_cert_login_from).
type CertSource string

// The sources that there are.
const (
	FromDistinguishedName CertSource = "distinguished_name" // as DistinguishedName prints it; the default
	FromCommonName        CertSource = "common_name"        // several are joined by commas
	FromSAN               CertSource = "subject_alternative_name"
)

// SANType is a type of subject alternative names, by RabbitMQ's name for it
// (ssl_cert_login_san_type).
type SANType string

// The types that there are.
const (
	SANDNS   SANType = "dns" // the default
	SANIP    SANType = "ip"  // as text, where RabbitMQ takes the bytes
	SANEmail SANType = "email"
	SANURI   SANType = "uri"
	SANOther SANType = "other_name" // if it is a string
)

// sanTags are the tags of the types in a certificate (RFC 5280, 4.2.1.6).
var sanTags = map[SANType]int{SANOther: 0, SANEmail: 1, SANDNS: 2, SANURI: 6, SANIP: 7}

// CertLogin says whose name a client certificate holds. The zero value is that of
// the distinguished name.
type CertLogin struct {
	From CertSource
	// SANType and SANIndex say which name it is, if From is FromSAN: that of the
	// type, from 0. They mean nothing else.
	SANType  SANType
	SANIndex int
}

// Check returns why a setting cannot be used, or nil.
func (l CertLogin) Check() error {
	switch l.From {
	case "", FromDistinguishedName, FromCommonName, FromSAN:
	default:
		return fmt.Errorf("certificate login from %q is not one of %s, %s, %s", l.From, FromDistinguishedName, FromCommonName, FromSAN)
	}
	if _, ok := sanTags[l.SANType]; !ok && l.SANType != "" {
		return fmt.Errorf("certificate login SAN type %q is not one of dns, ip, email, uri, other_name", l.SANType)
	}
	if l.SANIndex < 0 {
		return fmt.Errorf("certificate login SAN index %d is negative", l.SANIndex)
	}
	return nil
}

// errNoName is RabbitMQ's word for a certificate that does not say who it is for.
var errNoName = errors.New("no name found")

// Name returns the user's name in a certificate. Whoever asks has verified the
// certificate. The error says that there is none.
func (l CertLogin) Name(cert *x509.Certificate) (string, error) {
	var name string
	switch l.From {
	case FromCommonName:
		name = strings.Join(commonNames(cert.RawSubject), ",")
	case FromSAN:
		name = l.altName(cert)
	default:
		name = DistinguishedName(cert.RawSubject)
	}
	if name == "" {
		return "", errNoName
	}
	return name, nil
}

func (l CertLogin) altName(cert *x509.Certificate) string {
	kind := l.SANType
	if kind == "" {
		kind = SANDNS
	}
	names := altNames(cert.Extensions, sanTags[kind])
	if l.SANIndex >= len(names) {
		return ""
	}
	v := names[l.SANIndex]
	switch kind {
	case SANIP:
		if len(v.Bytes) != net.IPv4len && len(v.Bytes) != net.IPv6len {
			return ""
		}
		return net.IP(v.Bytes).String()
	case SANOther:
		return otherName(v.Bytes)
	}
	return string(v.Bytes)
}

// otherName returns the text of an otherName, which is an identifier and any value;
// empty if that is no string.
func otherName(b []byte) string {
	var (
		id    asn1.ObjectIdentifier
		value asn1.RawValue
		inner asn1.RawValue
	)
	rest, err := asn1.Unmarshal(b, &id)
	if err != nil {
		return ""
	}
	if _, err := asn1.Unmarshal(rest, &value); err != nil || value.Class != asn1.ClassContextSpecific || value.Tag != 0 {
		return ""
	}
	if _, err := asn1.Unmarshal(value.Bytes, &inner); err != nil {
		return ""
	}
	text, _ := directoryString(inner)
	return text
}
