package auth

import "net"

// Elsewhere is an address that is not on this machine, though it may look so: a
// proxy on another machine says that its client has a loopback address.
type Elsewhere struct{ net.Addr }

// IsLoopback reports whether the address is on this machine: a loopback IP, a
// Unix socket or a pipe inside the process.
func IsLoopback(a net.Addr) bool {
	switch a := a.(type) {
	case nil:
		return false
	case *net.UnixAddr:
		return true
	case Elsewhere:
		return false
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
	if e, ok := a.(Elsewhere); ok {
		a = e.Addr
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
