package app_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/permesso/permesso/internal/config"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
)

// way is how the test runs a command of README.md.
type way int

const (
	inShop     way = iota // by sh, in the folder of an installation that grows as README goes on
	asSandbox             // as a process of its own, started before all others, on a free port
	asService             // as a process of its own, for as long as the commands after it run
	atRoot                // by sh, in this repository
	onlyNamed             // not run: it takes minutes, or runs this test; make must know the target
	byOwnTest             // by TestReadmeDemo
	runAtMost  = 5 * time.Minute
	binaryName = "permesso"
)

// readmeCommands says, of every command in README.md, how it is run and what it must print.
var readmeCommands = map[string]struct {
	how  way
	want []string
}{
	"go run ./cmd/permesso demo": {byOwnTest, nil},
	"make test":                  {onlyNamed, []string{".ci/test"}},
	"make bench":                 {onlyNamed, []string{"./internal/bench"}},
	"make help":                  {atRoot, []string{"make test", "make bench", "make build"}},

	"permesso sandbox --webhook-url http://127.0.0.1:8080/webhook": {asSandbox, []string{"The sandbox answers at"}},

	`permesso init --name "Libreria Aurora" --country IT --timezone Europe/Rome`: {inShop, []string{"config.yaml is written"}},
	"permesso check":                                                {inShop, []string{"config.yaml is right: 1 campaign", "weekend-offer"}},
	"permesso contacts import contacts.csv":                         {inShop, []string{"4 added", "1 rejected"}},
	"permesso consent import consents.csv":                          {inShop, []string{"4 added", "0 rejected"}},
	"permesso templates sync":                                       {inShop, []string{"3 of them approved"}},
	"permesso plan weekend-offer":                                   {inShop, []string{"3 matched", "1 no_consent", "1 consent_revoked", "Ciao Giulia"}},
	"permesso run weekend-offer --test":                             {inShop, []string{"1 allowed", "total 1"}},
	"permesso serve":                                                {asService, []string{"permesso is serving"}},
	"permesso explain weekend-offer +393471234567":                  {inShop, []string{"Consent to offers was granted", "frequency_cap"}},
	"permesso log --phone +393471234567":                            {inShop, []string{"weekend-offer (test) +393471234567"}},
	"permesso contacts imports":                                     {inShop, []string{"contacts.csv", "consents.csv", "done"}},
	"permesso runs list":                                            {inShop, []string{"weekend-offer (test)", "done"}},
	"permesso report":                                               {inShop, []string{"No run yet"}}, // a test run is none
	`permesso suppress add +393471234567 --reason "asked by phone"`: {inShop, []string{"is suppressed"}},
	"permesso plan --next 30d":                                      {inShop, []string{"18:00 +", "Europe/Rome", "weekend-offer"}},
	`permesso halt --reason "wrong price"`:                          {inShop, []string{"Everything is halted"}},
	"permesso resume":                                               {inShop, []string{"The halt is taken back"}},
}

func TestReadmeCommands(t *testing.T) {
	t.Parallel()
	commands := shellCommands(t)
	for command := range readmeCommands {
		if !slices.Contains(commands, command) {
			t.Errorf("README.md has no command %q any more: take it off the table", command)
		}
	}
	s := openShop(t)
	for _, command := range commands {
		if readmeCommands[command].how == asSandbox {
			s.startSandbox(t, command, readmeCommands[command].want)
		}
	}
	for _, command := range commands {
		row, known := readmeCommands[command]
		if !known {
			t.Fatalf("README.md has the command %q: say in readmeCommands how it is run", command)
		}
		var printed string
		switch row.how {
		case asSandbox, byOwnTest:
			continue
		case asService:
			s.start(t, command, row.want[0])
			s.ready(t)
			continue
		case inShop:
			printed = s.sh(t, s.dir, command)
		case atRoot:
			printed = s.sh(t, moduleRoot, command)
		case onlyNamed:
			printed = s.sh(t, moduleRoot, strings.Replace(command, "make ", "make -n ", 1))
		}
		for _, words := range row.want {
			if !strings.Contains(oneSpace(printed), words) {
				t.Fatalf("`%s` does not print %q:\n%s", command, words, printed)
			}
		}
		if strings.HasPrefix(command, "permesso init") {
			s.edit(t)
		}
	}
}

func TestReadmeCampaignLoads(t *testing.T) {
	text := readmeCampaign(t)
	if lines := strings.Count(text, "\n"); lines > 15 {
		t.Errorf("the campaign has %d lines, and README.md promises fifteen", lines)
	}
	path := filepath.Join(t.TempDir(), "config.yaml")
	minimal := `version: 1
business: {name: Libreria Aurora, country: IT, timezone: Europe/Rome}
graph: {account_id: "500600700800", access_token: "${A}", app_secret: "${B}", verify_token: "${C}"}
numbers: [{id: "111222333444", messages_per_second: 80}]
categories: {offers: {kind: marketing}}
`
	if err := os.WriteFile(path, []byte(minimal+text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(path, everySecret)
	if err != nil {
		t.Fatalf("the campaign in README.md: %v", err)
	}
	c, ok := cfg.Campaign("weekend-offer")
	if !ok || c.Schedule == nil || c.Window == nil || c.Audience == "" || c.MaxRecipients == nil || c.Priority == 0 {
		t.Errorf("not all of the campaign was read: %+v", c)
	}
}

func TestConfigYAMLLoads(t *testing.T) {
	if _, err := config.Load(filepath.Join(moduleRoot, "config.yaml"), everySecret); err != nil {
		t.Errorf("config.yaml: %v", err)
	}
}

func everySecret(name string) (string, bool) { return "secret-of-" + strings.ToLower(name), true }

var (
	link    = regexp.MustCompile(`(!?)\[([^\]]*)\]\(([^)\s]+)\)`)
	named   = regexp.MustCompile("`((?:[\\w.-]+/)+[\\w.*-]+)`")
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
)

// TestDocumentsLinkToWhatIsThere follows every link inside the repository, its heading included, and every path in backquotes.
func TestDocumentsLinkToWhatIsThere(t *testing.T) {
	for _, document := range []string{"README.md", "CONTRIBUTING.md", "SECURITY.md", "docs/ARCHITECTURE.md", "docs/FILES.md", "docs/NOTIFY.md"} {
		text := string(readFile(t, document))
		for _, found := range link.FindAllStringSubmatch(text, -1) {
			if found[1] == "!" && len(found[2]) < 20 {
				t.Errorf("%s: the picture %s has no words for those who do not see it", document, found[3])
			}
			if strings.Contains(found[3], "://") {
				continue
			}
			file, section, _ := strings.Cut(found[3], "#")
			path := filepath.Join(filepath.Dir(document), file)
			if file == "" {
				path = document
			}
			content, err := os.ReadFile(filepath.Join(moduleRoot, path))
			if err != nil {
				t.Errorf("%s links to %s: %v", document, found[3], err)
				continue
			}
			if section != "" && !slices.Contains(sections(string(content)), section) {
				t.Errorf("%s links to %s, and there is no such heading", document, found[3])
			}
		}
		for _, found := range named.FindAllStringSubmatch(text, -1) {
			if matches, err := filepath.Glob(filepath.Join(moduleRoot, found[1])); err != nil || len(matches) == 0 {
				if !isImportPath(found[1]) {
					t.Errorf("%s names %s, which is not there", document, found[1])
				}
			}
		}
	}
}

// isImportPath tells a dependency from a file of ours: its first part is a host, or it is of the standard library. So does
// a program named to be run, such as ./permesso.
func isImportPath(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return strings.Contains(strings.TrimPrefix(first, "."), ".") || first == "." || first == "net" || first == "x" || first == "testing"
}

// sections lists the anchors that a renderer makes of a document's headings.
func sections(text string) []string {
	var anchors []string
	for _, found := range heading.FindAllStringSubmatch(text, -1) {
		anchor := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-', 'a' <= r && r <= 'z', '0' <= r && r <= '9':
				return r
			}
			return -1
		}, strings.ToLower(found[1]))
		anchors = append(anchors, anchor)
	}
	return anchors
}

// TestArchitectureHasTheStatesOfTheCode compares the tables of states with the state machines.
func TestArchitectureHasTheStatesOfTheCode(t *testing.T) {
	compareStates(t, "## The states of a delivery", sender.States())
	compareStates(t, "## Approval", []scheduler.RunState{
		scheduler.Planning, scheduler.Waiting, scheduler.Running, scheduler.Paused, scheduler.Done, scheduler.RunCancelled, scheduler.Missed,
	})
}

func compareStates[S interface {
	~string
	CanBecome(S) bool
}](t *testing.T, section string, states []S) {
	t.Helper()
	row := regexp.MustCompile("(?m)^\\| `(\\w+)` \\| ([^|]*) \\|")
	word := regexp.MustCompile("`(\\w+)`")
	_, table, found := strings.Cut(string(readFile(t, "docs/ARCHITECTURE.md")), section+"\n")
	if !found {
		t.Fatalf("docs/ARCHITECTURE.md has no section %q", section)
	}
	table, _, _ = strings.Cut(table, "\n## ")
	described := map[S][]S{}
	for _, line := range row.FindAllStringSubmatch(table, -1) {
		described[S(line[1])] = nil
		for _, next := range word.FindAllStringSubmatch(line[2], -1) {
			described[S(line[1])] = append(described[S(line[1])], S(next[1]))
		}
	}
	for _, from := range states {
		next, listed := described[from]
		if !listed {
			t.Errorf("%s does not list the state %s", section, from)
			continue
		}
		for _, to := range states {
			if says := slices.Contains(next, to); says != from.CanBecome(to) {
				t.Errorf("%s becomes %s: %s says %v, the code %v", from, to, section, says, from.CanBecome(to))
			}
		}
	}
	if len(described) != len(states) {
		t.Errorf("%s lists %d states, there are %d", section, len(described), len(states))
	}
}

// shellCommands are the commands in README.md's sh blocks, without their comments.
func shellCommands(t *testing.T) []string {
	t.Helper()
	var commands []string
	for _, block := range fenced(t, "README.md", "sh") {
		for line := range strings.Lines(block) {
			line, _, _ = strings.Cut(line, " #")
			if line = strings.TrimSpace(line); line != "" {
				commands = append(commands, line)
			}
		}
	}
	return commands
}

func readmeCampaign(t *testing.T) string {
	t.Helper()
	blocks := fenced(t, "README.md", "yaml")
	if len(blocks) != 1 {
		t.Fatalf("README.md has %d YAML blocks, want the campaign alone", len(blocks))
	}
	return blocks[0]
}

// fenced are the fenced blocks of a language in a document.
func fenced(t *testing.T, document, language string) []string {
	t.Helper()
	var blocks []string
	for _, found := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllStringSubmatch(string(readFile(t, document)), -1) {
		blocks = append(blocks, found[1])
	}
	return blocks
}

// oneSpace makes columns comparable: every run of blanks, line ends included, is one.
func oneSpace(text string) string { return strings.Join(strings.Fields(text), " ") }

// shop is the installation of somebody who follows README.md.
type shop struct {
	dir, path string // its folder; PATH with the program on it
	meta      string // address of the sandbox

	webhook, console, metrics string
}

func openShop(t *testing.T) *shop {
	t.Helper()
	bin := t.TempDir()
	build := command(t, "go", "build", "-o", filepath.Join(bin, binaryName), "./cmd/permesso")
	build.Dir = moduleRoot
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the program: %v\n%s", err, out)
	}
	s := &shop{dir: t.TempDir(), path: bin + string(os.PathListSeparator) + os.Getenv("PATH")}
	s.webhook, s.console, s.metrics = freeAddress(t), freeAddress(t), freeAddress(t)
	s.write(t, "contacts.csv", `phone,name,language,tags,coupon
+393471234567,Giulia Rossi,it,club,GIULIA20
+393471234568,Marco Ferrari,it,,
+393471234569,Ann Smith,en,,ANN20
+393471234570,Sara Bianchi,it,staff,
12,Nobody,it,,
`)
	s.write(t, "consents.csv", `phone,category,action,at,source,wording,evidence
+393471234567,offers,granted,`+ago(40)+`,web_form,"Sì, voglio le offerte di Libreria Aurora su WhatsApp",form-1041
+393471234569,offers,granted,`+ago(30)+`,in_store,"Yes, send me the offers of Libreria Aurora on WhatsApp",card-77
+393471234569,offers,revoked,`+ago(2)+`,email,,mail-9
+393471234570,offers,granted,`+ago(20)+`,web_form,"Sì, voglio le offerte di Libreria Aurora su WhatsApp",form-1042
`)
	return s
}

func ago(days int) string { return time.Now().AddDate(0, 0, -days).UTC().Format(time.RFC3339) }

var nextPort atomic.Int64

// freeAddress returns an address nobody listens on, and never the same twice, below the ports that the kernel hands out to clients.
func freeAddress(t *testing.T) string {
	t.Helper()
	nextPort.CompareAndSwap(0, 10000+rand.Int64N(8000))
	for range 200 {
		address := fmt.Sprintf("127.0.0.1:%d", nextPort.Add(1))
		l, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		_ = l.Close()
		return address
	}
	t.Fatal("no free port")
	return ""
}

func (s *shop) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// edit does to the configuration that init wrote what README.md tells its reader to do: the campaign goes in, dry_run off.
func (s *shop) edit(t *testing.T) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(s.dir, "config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	text, _, found := strings.Cut(string(raw), "\ncampaigns:")
	for _, edit := range [][2]string{
		{"dry_run: true", "dry_run: false\ntest_phones: [\"+393471234567\"]"},
		{"\ngraph:", fmt.Sprintf("\nlisten: {webhook: %q, console: %q, metrics: %q}\ngraph:\n  base_url: %s", s.webhook, s.console, s.metrics, s.meta)},
	} {
		found = found && strings.Contains(text, edit[0])
		text = strings.Replace(text, edit[0], edit[1], 1)
	}
	if !found {
		t.Fatalf("what init writes has other parts than this test and README.md know:\n%s", raw)
	}
	s.write(t, "config.yaml", text+"\n"+readmeCampaign(t))
}

// command is a process that ends with the test, and with it whatever it started.
func command(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), runAtMost)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0") // as make build builds it, also where the race detector wants C
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

func (s *shop) command(t *testing.T, dir, line string) *exec.Cmd {
	t.Helper()
	cmd := command(t, "sh", "-c", line)
	cmd.Dir = dir
	cmd.Env = append(cmd.Env, "PATH="+s.path, "WHATSAPP_ACCESS_TOKEN=token", "WHATSAPP_APP_SECRET=secret", "WHATSAPP_VERIFY_TOKEN=verify")
	return cmd
}

// sh runs a line that has to succeed, and returns what it printed.
func (s *shop) sh(t *testing.T, dir, line string) string {
	t.Helper()
	cmd := s.command(t, dir, line)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("`%s`: %v\n%s%s", line, err, out, errs.String())
	}
	return string(out)
}

// startSandbox starts the sandbox on a port that nobody has, telling the shop's own webhook address.
func (s *shop) startSandbox(t *testing.T, line string, want []string) {
	t.Helper()
	line = strings.Replace(line, "127.0.0.1:8080", s.webhook, 1) + " --listen 127.0.0.1:0"
	said := s.start(t, line, want[0])
	s.meta = strings.TrimSuffix(regexp.MustCompile(`http://[0-9.:]+`).FindString(said), ".")
	if s.meta == "" {
		t.Fatalf("`%s` does not tell its address: %s", line, said)
	}
}

// start starts a line that goes on, waits until it prints ready and returns the line that does. At the end of the test it
// must stop in good order when it is asked to.
func (s *shop) start(t *testing.T, line, ready string) string {
	t.Helper()
	cmd := s.command(t, s.dir, "exec "+line)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said, closed := make(chan string, 1), make(chan struct{})
	go func() {
		defer close(closed)
		for lines := bufio.NewScanner(pipe); lines.Scan(); {
			if strings.Contains(lines.Text(), ready) {
				select {
				case said <- lines.Text():
				default: // it says so again
				}
			}
		}
	}()
	t.Cleanup(func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Errorf("stopping `%s`: %v", line, err)
		}
		<-closed
		if err := cmd.Wait(); err != nil {
			t.Errorf("`%s`, asked to stop: %v\n%s", line, err, errs.String())
		}
	})
	select {
	case words := <-said:
		return words
	case <-closed:
		t.Fatalf("`%s` ended without printing %q", line, ready)
	}
	return ""
}

// ready asks the service whether it can work.
func (s *shop) ready(t *testing.T) {
	t.Helper()
	for _, address := range []string{"http://" + s.metrics + "/readyz", "http://" + s.console + "/"} {
		answer, err := http.Get(address)
		if err != nil {
			t.Fatal(err)
		}
		if err := answer.Body.Close(); err != nil || answer.StatusCode != http.StatusOK {
			t.Errorf("GET %s: %s %v", address, answer.Status, err)
		}
	}
}
