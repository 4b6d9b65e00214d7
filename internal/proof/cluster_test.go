package proof

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// cluster is a PostgreSQL server of a test's own, to be struck down. The one that other tests share is left alone.
type cluster struct {
	t                    *testing.T
	bin, home, host, url string
	as                   *syscall.Credential // nil is whoever runs the test; the server refuses root
	server               *exec.Cmd
}

// newCluster makes and starts a server with default settings; nothing of it is left after the test.
func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{t: t, bin: serverPrograms(t), home: serverHome(t), host: freeAddress(t)}
	c.url = "postgres://postgres@" + c.host + "/postgres?sslmode=disable"
	if os.Getuid() == 0 {
		owner, err := user.Lookup("postgres")
		if err != nil {
			owner, err = user.Lookup("nobody")
		}
		if err != nil {
			t.Fatalf("nobody to run a PostgreSQL server as: %v", err)
		}
		uid, _ := strconv.ParseUint(owner.Uid, 10, 32) // they are numbers here
		gid, _ := strconv.ParseUint(owner.Gid, 10, 32)
		c.as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if err := os.Chown(c.home, int(uid), int(gid)); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := c.command("initdb", "-D", c.data(), "-U", "postgres", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8").CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	t.Cleanup(func() { c.strike() })
	c.start()
	return c
}

// serverPrograms is the folder of the newest server's programs; Debian keeps them off the PATH.
func serverPrograms(t *testing.T) string {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb") // the pattern is a good one
	slices.SortFunc(found, func(a, b string) int { return len(a) - len(b) })
	if len(found) > 0 {
		return filepath.Dir(found[len(found)-1])
	}
	path, err := exec.LookPath("initdb")
	if err != nil {
		t.Fatalf("no PostgreSQL server to strike down: run .ci/install postgresql (%v)", err)
	}
	return filepath.Dir(path)
}

// serverHome is a folder that another user may reach, which a test's own is not.
func serverHome(t *testing.T) string {
	t.Helper()
	home, err := os.MkdirTemp("", "permesso-proof-pg-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	return home
}

func (c *cluster) data() string { return filepath.Join(c.home, "data") }

func (c *cluster) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(c.bin, program), args...)
	cmd.Dir = c.home
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.as}
	return cmd
}

// start starts the server and returns when it answers.
func (c *cluster) start() {
	c.t.Helper()
	_, port, _ := strings.Cut(c.host, ":")
	c.server = c.command("postgres", "-D", c.data(), "-p", port, "-c", "listen_addresses=127.0.0.1", "-k", c.home)
	if err := c.server.Start(); err != nil {
		c.t.Fatalf("starting a PostgreSQL server: %v", err)
	}
	db, err := sql.Open("postgres", c.url)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if err := eventually(patience, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		return db.PingContext(ctx)
	}); err != nil {
		c.t.Fatalf("the PostgreSQL server does not answer: %v", err)
	}
}

// strike ends the server at once, as pg_ctl stop -m immediate does: nothing is written any more, and the next start recovers
// from what was synced.
func (c *cluster) strike() {
	if c.server == nil || c.server.Process == nil {
		return
	}
	_ = c.server.Process.Signal(syscall.SIGQUIT)
	_ = c.server.Wait() // it ends by a signal
	c.server = nil
}

// playServer strikes the database server down in the middle of a run, while stops come in, and starts it again (F9, F14).
func playServer(t *testing.T, _ string, seed uint64, soak length) {
	c := newCluster(t)
	people, strikes := soak.of(900, 6000), soak.of(2, 15)
	r := newRig(t, "server", c.url, seed, settings{people: people, perSecond: 250})
	r.player.Hold()
	p := r.serve(r.houses[0])
	r.detach("offer")
	for range strikes {
		r.untilPosted(min(people*2/3, r.posted()+1+r.draw(people/(2*strikes))))
		stopping := r.unreached(20)
		said := make(chan struct{})
		go func() {
			defer close(said)
			r.stopPlainly(stopping)
		}()
		r.pause(60 * time.Millisecond)
		c.strike()
		r.kills++
		r.pause(300 * time.Millisecond)
		c.start()
		<-said
		if !p.running() {
			t.Fatalf("serve ended with the server: %s", p.err.String())
		}
	}
	r.untilOver()
	r.powered("stops", r.stops, 20*strikes)
	r.law.MaxUnknown = 0 // the senders live: they know what left, and what did not
	early := r.law
	early.Told = false
	r.audit(early)
	r.judge()
}

// playCommit cuts connections to the database on the COMMIT packet, half of them before it reached the server and half after: who
// asked cannot know, and must look (F15).
func playCommit(t *testing.T, target string, seed uint64, soak length) {
	host, err := hostOf(target)
	if err != nil {
		t.Fatal(err)
	}
	cutter, err := NewProxy("127.0.0.1:0", host, seed)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cutter.Close() })
	people := soak.of(500, 4000)
	r := newRig(t, "commit", target, seed, settings{people: people, perSecond: 200, used: strings.Replace(target, host, cutter.Address(), 1)})
	r.player.Hold()
	r.serve(r.houses[0])
	r.detach("offer")
	cutter.Set(Faults{Marker: []byte("COMMIT"), CutAtMarker: 0.08})
	r.untilPosted(people / 10)
	r.stopPlainly(r.unreached(20))
	r.untilOver()
	c := cutter.Counts()
	r.kills = c.CutBefore + c.CutAfter
	r.powered("commits that were cut before", c.CutBefore, 3)
	r.powered("commits that were cut after", c.CutAfter, 3)
	r.law.MaxUnknown = 0
	early := r.law
	early.Told = false
	r.audit(early)
	r.player.Release()
	r.judge()
}

// hostOf is host and port of a database's address.
func hostOf(target string) (string, error) {
	_, rest, found := strings.Cut(target, "@")
	host, _, ends := strings.Cut(rest, "/")
	if !found || !ends {
		return "", fmt.Errorf("%s has no user, host and name", target)
	}
	return host, nil
}
