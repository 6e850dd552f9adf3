package fakeapi

// DropConns closes every connection, whatever it is transferring.
func (s *Server) DropConns() {
	if s.listener != nil {
		s.listener.Drop()
	}
}

// Down closes every connection, and each new one immediately, as while the
// control plane restarts. Up ends that.
func (s *Server) Down() {
	if s.listener != nil {
		s.listener.Down()
	}
}

// Up accepts connections again after Down.
func (s *Server) Up() {
	if s.listener != nil {
		s.listener.Up()
	}
}

// Freeze stops all traffic of the open connections without closing them. New
// connections work. The returned function ends that.
func (s *Server) Freeze() (thaw func()) {
	if s.listener == nil {
		return func() {}
	}
	return s.listener.Freeze()
}
