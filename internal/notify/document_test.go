package notify_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/permesso/permesso/internal/notify"
	"github.com/permesso/permesso/internal/report"
)

func document(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/NOTIFY.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// block returns the block of code behind a mark.
func block(t *testing.T, mark string) string {
	t.Helper()
	_, after, found := strings.Cut(document(t), "```"+mark+"\n")
	code, _, closed := strings.Cut(after, "```")
	if !found || !closed {
		t.Fatalf("docs/NOTIFY.md has no block of %s", mark)
	}
	return code
}

// The request that docs/NOTIFY.md shows is what is posted, and the function that it shows takes that and nothing else.
func TestTheDocumentsExample(t *testing.T) {
	request, err := http.ReadRequest(bufio.NewReader(strings.NewReader(strings.ReplaceAll(block(t, "http"), "\n", "\r\n"))))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(block(t, "http"), "\n\n")
	body := []byte(strings.TrimSuffix(rest, "\n"))
	secret := regexp.MustCompile(`whsec_[A-Za-z0-9+/]+=*`).FindString(document(t))
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		t.Fatal(err)
	}
	seconds, err := strconv.ParseInt(request.Header.Get("webhook-timestamp"), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Unix(seconds, 0)
	id := request.Header.Get("webhook-id")
	if want := notify.Sign(key, id, at, body); request.Header.Get("webhook-signature") != want {
		t.Errorf("the signature that is shown is %s, and would be %s", request.Header.Get("webhook-signature"), want)
	}
	made, err := report.Notice{ID: id, Type: report.NoticeRunPaused, At: report.Time{Time: time.Date(2026, 11, 22, 17, 4, 9, 120000000, time.UTC)}, Data: report.NoticeData{
		Sentence: "Run 20261122-1700-k3f9xa of campaign weekend-offer is paused by ada: the text is wrong.",
		Run:      "20261122-1700-k3f9xa", Campaign: "weekend-offer", Number: "111222333444", Reason: "the text is wrong", By: "ada",
	}.Discreet()}.Body()
	if err != nil || !bytes.Equal(made, body) {
		t.Errorf("the body that is shown is\n%s\nand would be\n%s (%v)", body, made, err)
	}
	if !genuine(key, request.Header, body, at.Add(time.Minute)) {
		t.Error("the function that is shown does not take the request that is shown")
	}
	for what, takes := range map[string]bool{
		"another body":        genuine(key, request.Header, append([]byte(" "), body...), at),
		"another key":         genuine([]byte("another"), request.Header, body, at),
		"ten minutes later":   genuine(key, request.Header, body, at.Add(10*time.Minute)),
		"ten minutes earlier": genuine(key, request.Header, body, at.Add(-10*time.Minute)),
		"no headers":          genuine(key, http.Header{}, body, at),
	} {
		if takes {
			t.Errorf("it takes %s", what)
		}
	}
}

func TestTheDocumentsCodeIsTheTestedOne(t *testing.T) {
	source, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	if code := block(t, "go"); !strings.HasSuffix(string(source), code) {
		t.Errorf("example_test.go does not end with what docs/NOTIFY.md shows:\n%s", code)
	}
}

func TestTheDocumentHasEveryType(t *testing.T) {
	var listed []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z]+\\.[a-z]+)` \\|").FindAllStringSubmatch(document(t), -1) {
		listed = append(listed, row[1])
	}
	var want []string
	for _, kind := range report.NoticeTypes() {
		want = append(want, string(kind))
	}
	if strings.Join(listed, " ") != strings.Join(want, " ") {
		t.Errorf("docs/NOTIFY.md has %v, there are %v", listed, want)
	}
}
