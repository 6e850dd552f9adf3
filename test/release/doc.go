// Package release holds the tests of what a release consists of. They unpack
// what `make release-snapshot` has put into dist/, run the programs in it that
// run here, and check that what the packages of others name is there.
//
//	make release-test
package release
