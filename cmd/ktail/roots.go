package main

// The container image has no certificates of authorities. These are used where the
// system has none; elsewhere they are ignored.
import _ "golang.org/x/crypto/x509roots/fallback"
