package main

import (
	"strings"
	"testing"
)

const pkg = `"Package":"example.org/m/internal/store"`

func TestRun(t *testing.T) {
	tests := map[string]struct {
		events []string
		last   []string // the last lines printed
		has    string   // somewhere in the output
		failed bool
	}{
		"leaves are counted, parents are not": {
			events: []string{
				`{"Action":"run",` + pkg + `,"Test":"TestStore"}`,
				`{"Action":"run",` + pkg + `,"Test":"TestStore/sqlite"}`,
				`{"Action":"run",` + pkg + `,"Test":"TestStore/sqlite/gate"}`,
				`{"Action":"run",` + pkg + `,"Test":"TestStore/postgres"}`,
				`{"Action":"run",` + pkg + `,"Test":"TestStore/postgres/gate"}`,
				`{"Action":"run",` + pkg + `,"Test":"TestStore/postgres/caps"}`,
				`{"Action":"pass",` + pkg + `,"Test":"TestStore/sqlite/gate"}`,
				`{"Action":"pass",` + pkg + `,"Test":"TestStore/sqlite"}`,
				`{"Action":"pass",` + pkg + `,"Test":"TestStore/postgres/gate"}`,
				`{"Action":"skip",` + pkg + `,"Test":"TestStore/postgres/caps"}`,
				`{"Action":"pass",` + pkg + `,"Test":"TestStore/postgres"}`,
				`{"Action":"pass",` + pkg + `,"Test":"TestStore"}`,
				`{"Action":"pass",` + pkg + `,"Elapsed":0.5}`,
			},
			last: []string{"tests on sqlite: 1, on postgres: 1", "2 passed, 0 failed, 1 skipped"},
			has:  "ok    example.org/m/internal/store  0.5s  2 tests\n",
		},
		"a database that saw no test": {
			events: []string{
				`{"Action":"run",` + pkg + `,"Test":"TestGate/sqlite"}`,
				`{"Action":"pass",` + pkg + `,"Test":"TestGate/sqlite"}`,
				`{"Action":"pass",` + pkg + `}`,
			},
			last:   []string{"FAIL: the store was tested, and one of its databases was not", "tests on sqlite: 1, on postgres: 0", "1 passed, 0 failed, 0 skipped"},
			failed: true,
		},
		"a failure counts once and shows its output": {
			events: []string{
				`{"Action":"run","Package":"m/p","Test":"TestA"}`,
				`{"Action":"run","Package":"m/p","Test":"TestA/x"}`,
				`{"Action":"output","Package":"m/p","Test":"TestA/x","Output":"=== RUN   TestA/x\n"}`,
				`{"Action":"output","Package":"m/p","Test":"TestA/x","Output":"    a_test.go:9: got "}`,
				`{"Action":"output","Package":"m/p","Test":"TestA/x","Output":"2\n"}`,
				`{"Action":"fail","Package":"m/p","Test":"TestA/x"}`,
				`{"Action":"fail","Package":"m/p","Test":"TestA"}`,
				`{"Action":"fail","Package":"m/p","Elapsed":1.25}`,
			},
			last:   []string{"FAIL  m/p  1.2s", "    a_test.go:9: got 2", "tests on sqlite: 0, on postgres: 0", "0 passed, 1 failed, 0 skipped"},
			failed: true,
		},
		"a parent that fails by itself": {
			events: []string{
				`{"Action":"run","Package":"m/p","Test":"TestA"}`,
				`{"Action":"run","Package":"m/p","Test":"TestA/x"}`,
				`{"Action":"pass","Package":"m/p","Test":"TestA/x"}`,
				`{"Action":"fail","Package":"m/p","Test":"TestA"}`,
				`{"Action":"fail","Package":"m/p"}`,
			},
			last:   []string{"1 passed, 1 failed, 0 skipped"},
			failed: true,
		},
		"a package that does not build": {
			events: []string{
				`{"ImportPath":"m/p [m/p.test]","Action":"build-output","Output":"p/a.go:3:1: undefined: x\n"}`,
				`{"ImportPath":"m/p [m/p.test]","Action":"build-fail"}`,
				`{"Action":"start","Package":"m/p"}`,
				`{"Action":"output","Package":"m/p","Output":"FAIL\tm/p [build failed]\n"}`,
				`{"Action":"fail","Package":"m/p","Elapsed":0,"FailedBuild":"m/p [m/p.test]"}`,
			},
			last:   []string{"0 passed, 1 failed, 0 skipped"},
			has:    "p/a.go:3:1: undefined: x\n",
			failed: true,
		},
		"a test that never ended": {
			events: []string{
				`{"Action":"run","Package":"m/p","Test":"TestA"}`,
				`{"Action":"output","Package":"m/p","Test":"TestA","Output":"waiting"}`,
			},
			last:   []string{"--- DID NOT END: TestA", "waiting", "tests on sqlite: 0, on postgres: 0", "0 passed, 1 failed, 0 skipped"},
			failed: true,
		},
		"the go command's own words": {
			events: []string{`go: no modules here`},
			last:   []string{"go: no modules here", "FAIL: go test reported no package", "tests on sqlite: 0, on postgres: 0", "0 passed, 0 failed, 0 skipped"},
			failed: true,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			failed, err := run(strings.NewReader(strings.Join(tt.events, "\n")+"\n"), &out)
			if err != nil {
				t.Fatal(err)
			}
			if failed != tt.failed {
				t.Errorf("failed = %t, want %t", failed, tt.failed)
			}
			if want := strings.Join(tt.last, "\n") + "\n"; !strings.HasSuffix(out.String(), want) {
				t.Errorf("ends otherwise than\n%s\nwhole output:\n%s", want, out.String())
			}
			if !strings.Contains(out.String(), tt.has) {
				t.Errorf("lacks %q:\n%s", tt.has, out.String())
			}
		})
	}
}
