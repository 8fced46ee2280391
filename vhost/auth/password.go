package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
)

const saltSize = 4

// passwordHash is salt, then SHA-256 of salt and password: what RabbitMQ calls
// rabbit_password_hashing_sha256 and shows in base64.
type passwordHash [saltSize + sha256.Size]byte

// hashPassword hashes with a new salt.
func hashPassword(password string) passwordHash {
	var salt [saltSize]byte
	rand.Read(salt[:]) // never fails
	return saltedHash(salt, password)
}

func saltedHash(salt [saltSize]byte, password string) passwordHash {
	var h passwordHash
	copy(h[:], salt[:])
	sum := sha256.Sum256(append(salt[:], password...))
	copy(h[saltSize:], sum[:])
	return h
}

// matches takes a time that says nothing about where the hashes differ.
func (h *passwordHash) matches(password string) bool {
	got := saltedHash([saltSize]byte(h[:saltSize]), password)
	return subtle.ConstantTimeCompare(got[:], h[:]) == 1
}
