// Package policy is policies as values: whether one is valid, which queues and
// exchanges it is for, which of many holds, and what it comes to together with an
// operator policy. What queues do by it is theirs; where policies are kept and
// applied is the vhost's.
//
// Rules and words are RabbitMQ's, taken from what 3.10 answers and from the
// sources of 4.x; where versions differ, the more permissive one holds. What it
// answers to a bad policy is a Refused, whose text is what its management API
// gives as reason.
package policy
