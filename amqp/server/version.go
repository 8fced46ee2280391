package server

// Version is Leveret's own version.
const Version = "0.1.0"

// ProtocolVersion is the version in the server properties: the RabbitMQ release
// whose behaviour clients may count on. Clients parse and compare it. Below 4.3
// they use transient queues and channel-wide prefetch as they always have, both
// of which Leveret supports; at 3.10 and above they use everything newer.
const ProtocolVersion = "3.13.7"
