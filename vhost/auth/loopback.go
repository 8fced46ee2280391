package auth

import "net"

// IsLoopback reports whether the address is on this machine: a loopback IP, a
// Unix socket or a pipe inside the process.
func IsLoopback(a net.Addr) bool {
	switch a := a.(type) {
	case nil:
		return false
	case *net.UnixAddr:
		return true
	default:
		if a.Network() == "pipe" {
			return true
		}
	}
	ip := addressOf(a)
	return ip != nil && ip.IsLoopback()
}

// addressOf returns the IP of an address, nil if it has none.
func addressOf(a net.Addr) net.IP {
	if a == nil {
		return nil
	}
	if tcp, ok := a.(*net.TCPAddr); ok {
		return tcp.IP
	}
	host, _, err := net.SplitHostPort(a.String())
	if err != nil {
		host = a.String()
	}
	return net.ParseIP(host)
}
