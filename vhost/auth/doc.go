// Package auth is who may come in, and what they may do: users, the hashes of
// their passwords, where they may come from, and their rights in each vhost.
// All of it is in RabbitMQ's form, so that definitions can go from one to the
// other.
//
// To authenticate takes the same work for a user who does not exist as for a
// wrong password. What a refusal was about is in the error, which is for the
// log: a client learns no more than that it was refused.
package auth
