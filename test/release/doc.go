// Package release tests the files of a release. The tests unpack what `make
// release-snapshot` wrote to dist/, run the programs that can run here, and check
// that everything that package manifests refer to exists.
//
//	make release-test
package release
