package auth

import (
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"

	"github.com/leveretmq/leveret/vhost/policy"
)

// Algorithm is how a password was hashed, by RabbitMQ's name for it.
type Algorithm string

// The algorithms that there are. New hashes are of SHA256; the others come with
// definitions from elsewhere.
const (
	SHA256 Algorithm = "rabbit_password_hashing_sha256"
	SHA512 Algorithm = "rabbit_password_hashing_sha512"
	MD5    Algorithm = "rabbit_password_hashing_md5"
)

const saltSize = 4

// Hash is the hash of a password: four bytes of salt, then the sum of salt and
// password. Nobody gets in by the zero Hash, which is that of no password.
type Hash struct {
	// Algorithm is empty in the zero Hash only.
	Algorithm Algorithm
	salted    string
}

// NewHash hashes a password with a new salt.
func NewHash(password string) Hash {
	var salt [saltSize]byte
	rand.Read(salt[:]) // never fails
	return Hash{SHA256, salted(SHA256, string(salt[:]), password)}
}

// ParseHash reads a hash in base64, as definitions have it. An empty one is the
// zero Hash. The error says what is wrong with it.
func ParseHash(algorithm Algorithm, text string) (Hash, error) {
	if text == "" {
		return Hash{}, nil
	}
	size := algorithm.size()
	if size == 0 {
		return Hash{}, policy.Refusef("hashing_algorithm '%s' is not known", algorithm)
	}
	b, err := base64.StdEncoding.DecodeString(text)
	switch {
	case err != nil:
		return Hash{}, policy.Refusef("password_hash is not valid base64")
	case len(b) != saltSize+size:
		return Hash{}, policy.Refusef("password_hash has %d bytes, and %s makes %d", len(b), algorithm, saltSize+size)
	}
	return Hash{algorithm, string(b)}, nil
}

// String returns the hash in base64, as RabbitMQ shows it.
func (h Hash) String() string { return base64.StdEncoding.EncodeToString([]byte(h.salted)) }

// size is that of the sum, in bytes; 0 if the algorithm is not known.
func (a Algorithm) size() int {
	switch a {
	case SHA256:
		return sha256.Size
	case SHA512:
		return sha512.Size
	case MD5:
		return md5.Size
	}
	return 0
}

// salted hashes a password with a salt, which goes before.
func salted(a Algorithm, salt, password string) string {
	text := []byte(salt + password)
	switch a {
	case SHA512:
		sum := sha512.Sum512(text)
		return salt + string(sum[:])
	case MD5:
		sum := md5.Sum(text)
		return salt + string(sum[:])
	}
	sum := sha256.Sum256(text)
	return salt + string(sum[:])
}

// matches takes a time that says nothing about where the hashes differ.
func (h Hash) matches(password string) bool {
	known := h.salted != ""
	if !known {
		h = nobody
	}
	got := salted(h.Algorithm, h.salted[:saltSize], password)
	return subtle.ConstantTimeCompare([]byte(got), []byte(h.salted)) == 1 && known
}

// nobody is what a password is compared with when there is nothing to compare it
// with. It matches none.
var nobody = NewHash("")
