package e2e

import (
	"net"
	"os"
	"strings"
	"testing"

	"github.com/permesso/permesso/internal/store/storetest"
)

func TestSecondServe(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, target string) {
		t.Parallel()
		h := newHouse(t, target, settings{})
		h.serve()
		second := h.neighbour()
		if strings.HasPrefix(target, "postgres") {
			second.serve() // more processes are more workers
			return
		}
		second.refused(5, []string{"another `permesso serve`", "SQLite"}, "serve")
		h.must("runs", "list") // verbs work beside serve
	})
}

func TestPortInUse(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "sqlite:permesso.db", settings{})
	for key, address := range map[string]string{"listen.webhook": h.webhook, "listen.console": h.console, "listen.metrics": h.metrics} {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		h.refused(1, []string{key, address, "in use"}, "serve")
		_ = l.Close()
	}
}

func TestDatabaseThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	t.Run("unreachable", func(t *testing.T) {
		t.Parallel()
		h := newHouse(t, "postgres://permesso@"+freeAddress(t)+"/permesso?sslmode=disable", settings{})
		for _, verb := range [][]string{{"serve"}, {"run", "weekend-offer"}, {"log"}, {"contacts", "import", h.write("contacts.csv", "phone\n+393471234567\n")}} {
			h.refused(1, []string{"connect"}, verb...)
		}
	})
	t.Run("locked", func(t *testing.T) {
		t.Parallel()
		h := newHouse(t, "sqlite:"+t.TempDir()+"/permesso.db", settings{})
		h.plainPeople(1)
		unlock := takeAway(t, h.database)
		stuck := []*process{h.start("suppress", "add", plainPhone(0)), h.start("contacts", "import", h.path("contacts.csv")), h.start("run", "weekend-offer")}
		for _, p := range stuck {
			if code := p.wait(2 * patience); code != 1 || !strings.Contains(p.err.String(), "another program has it locked: stop that program") {
				t.Errorf("%v: exit %d, %s", p.cmd.Args[1:], code, tail(p.err.String()))
			}
		}
		h.must("log") // reading goes on
		unlock()
		h.must("run", "weekend-offer")
		h.everyone([]string{personOf(plainPhone(0))})
	})
	storetest.Databases(t, func(t *testing.T, target string) {
		t.Parallel()
		h := newHouse(t, target, settings{})
		h.plainPeople(1)
		storetest.SQL(t, target).MustExec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, true)")
		for _, verb := range [][]string{{"serve"}, {"run", "weekend-offer"}, {"log"}, {"migrate"}} {
			h.refused(1, []string{"newer"}, verb...)
		}
		if n := h.meta.count(); n > 0 {
			t.Errorf("%d messages from a database that a newer program made", n)
		}
	})
}

func TestWrongConfiguration(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "sqlite:permesso.db", settings{})
	good, err := os.ReadFile(h.path("config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	bad := strings.NewReplacer("audience:", "audiense:", "country: IT", "country: ITALY", "messages_per_second: 400", "messages_per_second: quick").Replace(string(good))
	h.write("config.yaml", bad)
	for _, verb := range [][]string{{"check"}, {"serve"}, {"run", "weekend-offer"}, {"log"}} {
		h.refused(3, []string{"audiense", "audience", "ITALY", "quick", "config.yaml:2:", "^", "3 mistakes"}, verb...)
	}
	h.write("config.yaml", strings.Replace(string(good), "${WHATSAPP_APP_SECRET}", "a-literal-secret", 1))
	if a := h.refused(3, []string{"app_secret"}, "serve"); strings.Contains(a.err, "a-literal-secret") {
		t.Errorf("the secret is repeated: %s", a.err)
	}
	h.write("config.yaml", strings.Replace(string(good), "${WHATSAPP_APP_SECRET}", "${NO_SUCH_VARIABLE}", 1))
	h.refused(3, []string{"NO_SUCH_VARIABLE"}, "serve")
	h.write("config.yaml", string(good[:len(good)*2/3]))
	h.refused(3, []string{"config.yaml"}, "serve")
	if err := os.Remove(h.path("config.yaml")); err != nil {
		t.Fatal(err)
	}
	h.refused(3, []string{"config.yaml", "permesso init"}, "serve")
	if _, err := os.Stat(h.path("permesso.db")); err == nil {
		t.Error("a wrong configuration made a database")
	}
}

func TestFilesThatAreNotWhole(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, target string) {
		t.Parallel()
		h := newHouse(t, target, settings{})
		h.refused(1, []string{"phone", "Telefono"}, "contacts", "import", h.write("no-phone.csv", "Telefono,Nome\n+393471234567,Anna\n"))
		h.refused(2, []string{"nowhere.csv"}, "contacts", "import", "nowhere.csv")
		h.refused(1, []string{"empty"}, "contacts", "import", h.write("empty.csv", ""))

		half := h.write("half.csv", "phone,name,points\n+393470000001,Anna,50\n+393470000002,Bruno,50\n+3934700000")
		result := object[importResult](h, "contacts", "import", half)
		if result.Added != 2 || result.Rejected != 1 {
			t.Errorf("a half-written file: %+v, want 2 added and 1 rejected", result)
		}
		h.refused(4, []string{"1 of 3"}, "contacts", "import", half, "--strict")
		rejected, err := os.ReadFile(result.RejectedFile)
		if err != nil || !strings.Contains(string(rejected), "4,") {
			t.Errorf("the file of rejected rows does not name line 4: %v\n%s", err, rejected)
		}
		proof := h.write("half-consents.csv", "phone,category,action,at,source,wording\n+393470000001,offers,granted,2026-01-02T10:00:00Z,web_form,\"Sì a Libreria Aurora\"\n"+
			"+393470000002,offers,granted,2026-01-02T10:00:00Z,web_form,\"Sì a Libr")
		if result := object[importResult](h, "consent", "import", proof); result.Added != 1 || result.Rejected != 1 {
			t.Errorf("half-written consents: %+v, want 1 added and 1 rejected", result)
		}
	})
}

func TestWrongUse(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "sqlite:permesso.db", settings{})
	for _, tt := range []struct {
		words []string
		args  []string
	}{
		{[]string{"lgo", "log"}, []string{"lgo"}},
		{[]string{"--campain"}, []string{"log", "--campain", "x"}},
		{[]string{"CAMPAIGN"}, []string{"run"}},
		{[]string{"weekend-ofer", "weekend-offer"}, []string{"run", "weekend-ofer"}},
		{[]string{"weekend-ofer", "weekend-offer"}, []string{"explain", "weekend-ofer", plainPhone(1)}},
		{[]string{"PHONE"}, []string{"explain", "weekend-offer", "nonsense"}},
		{[]string{"sendd", "sent"}, []string{"log", "--state", "sendd"}},
		{[]string{"tomorrow"}, []string{"run", "weekend-offer", "--at", "tomorrow"}},
		{[]string{"test_phones"}, []string{"run", "weekend-offer", "--test"}},
		{[]string{"postman"}, []string{"serve", "--only", "postman"}},
		{[]string{"extra"}, []string{"serve", "extra"}},
	} {
		h.refused(2, tt.words, tt.args...)
	}
	h.refused(1, []string{"no-such-run"}, "runs", "show", "no-such-run")
}

// Processes that start together on a new database must all be of one installation: a key of their own would hide each other's people and stops.
func TestFirstProcessesTogether(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, target string) {
		t.Parallel()
		h := newHouse(t, target, settings{})
		h.must("migrate")
		db := storetest.SQL(t, target)
		for range 5 {
			db.MustExec("DELETE FROM instance")
			var together []*process
			for range 5 {
				together = append(together, h.start("runs", "list"))
			}
			for _, p := range together {
				if code := p.wait(patience); code != 0 {
					t.Errorf("exit %d: %s", code, tail(p.err.String()))
				}
			}
			var instances int
			if err := db.Get(&instances, "SELECT count(*) FROM instance"); err != nil || instances != 1 {
				t.Fatalf("%d instances, %v, want 1", instances, err)
			}
		}
	})
}
