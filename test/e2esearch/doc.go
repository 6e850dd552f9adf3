// Package e2esearch tests forwarding on the real servers of test/search:
// Elasticsearch 6.4 and 7.10, OpenSearch 2 and 3. The tests run the built
// program on logs of internal/fakeapi, cause faults of search servers and of
// ktail, and compare every document in the index with the written lines.
//
//	test/search.sh                             set up, start, test, stop
//	test/search/setup.sh                       once; then
//	go test -tags e2e -count=1 -v -parallel 4 -timeout 20m ./test/e2esearch
//
// The tests start and stop the servers. SERVERS selects them by name, or is
// all. By default, tests run on the oldest and the newest, and upgrade from and
// to the others. -throughput measures history, and -documents is how many lines are read
// then; -connections adds slow steps. KTAIL_BIN selects another program to test.
package e2esearch
