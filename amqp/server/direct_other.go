//go:build !unix

package server

import "errors"

// tryWrite leaves it all to the writer.
func tryWrite(uintptr, []byte) (int, error) { return 0, errors.ErrUnsupported }
