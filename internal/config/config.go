package config

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"
	_ "time/tzdata" // a zone that config.yaml names is found on machines without a zone database too

	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
)

// Config is one checked config.yaml with the files that it includes. Paths are absolute, defaults are filled in.
type Config struct {
	File      string // as given to Load
	Business  Business
	Database  string // sqlite:/absolute/path, or postgres://… with an sslmode; it may hold a password
	StateDir  string
	PublicURL string // without a slash at its end; "" when the service has no address of its own
	Listen    Listen
	Graph     Graph
	Numbers   []Number
	Rules     policy.Rules
	// Attributes are the declared types of contacts' attributes; undeclared ones are text.
	Attributes map[string]scheduler.AttributeType
	// Segments are named audience filters.
	Segments map[string]string
	// OptOutKeywords are added to the built-in lists, per BCP 47 language.
	OptOutKeywords map[string][]string
	// Keywords are the built-in words, OptOutKeywords, and the ids and titles of the categories.
	Keywords policy.Keywords
	// Chat are the words of people that are answered, beside Keywords.
	Chat policy.Chat
	// OptOutConfirmation answers an opt-out, and OptOutHelp who asks for help. Without them nobody is answered.
	OptOutConfirmation []Wording
	OptOutHelp         []Wording
	OptIn              OptIn
	// ApproveAbove is how many people a run may write to before a second person has to approve it; nil is any number.
	ApproveAbove *int
	// Notify is where operators are told; its URL is "" when nobody is.
	Notify Notify
	// Replies is where what people write is forwarded to; its URL is "" when nobody reads it.
	Replies Notify
	// Retention is how long things are kept.
	Retention  Retention
	TestPhones []phone.Number
	DryRun     bool
	Campaigns  []scheduler.Campaign
	// Warnings are what is allowed and probably not meant.
	Warnings []Problem
}

// Business names who sends.
type Business struct {
	Name     string
	Country  string // ISO 3166 alpha-2; region of numbers written without a country code
	Timezone string // IANA
}

// Listen holds host:port addresses.
type Listen struct {
	Webhook, Console, Metrics string
}

// Graph is where and as whom the Cloud API is called.
type Graph struct {
	BaseURL     string // without a slash at its end
	Version     string // v25.0
	AccountID   string // WhatsApp Business Account
	AccessToken Secret
	// AppSecrets sign webhooks; there are several while they rotate.
	AppSecrets  []Secret
	VerifyToken Secret
}

// Notify is where signed webhooks go.
type Notify struct {
	URL string // as written, with or without a slash at its end
	Key Secret // the bytes that posts are signed with
}

// Retention is how long things are kept before they are deleted; 0 is for ever.
type Retention struct {
	Deliveries  time.Duration // of runs that are over
	Webhooks    time.Duration // the bodies of webhooks that held something unexpected
	ReviewTexts time.Duration // what people wrote that looked like an opt-out
}

// Any reports whether anything is deleted by age.
func (r Retention) Any() bool { return r != Retention{} }

// Number is one sending number.
type Number struct {
	ID                string  // Meta's phone number id
	MessagesPerSecond float64 // above 0
	MessagingLimit    *int    // unique people in any 24 hours over the whole portfolio; nil is not named
	// Phone is the number itself, to which people write; "" when it is not told.
	Phone phone.Number
}

// ReplyNumber is the number at which people write to the business: that of the first that tells it; "" when none does.
func (c *Config) ReplyNumber() phone.Number {
	for _, n := range c.Numbers {
		if n.Phone != "" {
			return n.Phone
		}
	}
	return ""
}

// MessagingLimit is the smallest that a number names, nil when none does.
func (c *Config) MessagingLimit() *int {
	var smallest *int
	for _, n := range c.Numbers {
		if n.MessagingLimit != nil && (smallest == nil || *n.MessagingLimit < *smallest) {
			smallest = n.MessagingLimit
		}
	}
	return smallest
}

// Campaign returns the campaign of that id.
func (c *Config) Campaign(id string) (scheduler.Campaign, bool) {
	for _, campaign := range c.Campaigns {
		if campaign.ID == id {
			return campaign, true
		}
	}
	return scheduler.Campaign{}, false
}

// Hash is a SHA-256 in hex of what a run depends on: who gets what, when and under which rules. Comments, the order of
// keys, secrets, addresses, paths and paces are not part of it.
func (c *Config) Hash() string {
	phones := make([]string, len(c.TestPhones))
	for i, number := range c.TestPhones {
		phones[i] = string(number)
	}
	numbers := make([]string, len(c.Numbers))
	for i, number := range c.Numbers {
		numbers[i] = number.ID
	}
	text, err := json.Marshal(struct {
		Business                    Business
		BaseURL, Version, AccountID string
		Numbers                     []string
		Rules                       policy.Rules
		Attributes                  map[string]scheduler.AttributeType
		Segments                    map[string]string
		ApproveAbove                *int `json:",omitempty"`
		TestPhones                  []string
		DryRun                      bool
		Campaigns                   []scheduler.Campaign
	}{
		c.Business, c.Graph.BaseURL, c.Graph.Version, c.Graph.AccountID,
		numbers, c.Rules, c.Attributes, c.Segments, c.ApproveAbove, phones, c.DryRun, c.Campaigns,
	})
	if err != nil {
		// Only a year beyond 9999 cannot be written, and instant refuses it.
		panic(fmt.Sprintf("config: hash: %v", err))
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// The values of absent keys. They switch nothing on: they only say where things are.
const (
	defaultDatabase = "sqlite:permesso.db"
	defaultStateDir = ".permesso"
	defaultWebhook  = "127.0.0.1:8080"
	defaultConsole  = "127.0.0.1:8081"
	defaultMetrics  = "127.0.0.1:8082"
	defaultBaseURL  = "https://graph.facebook.com"
	defaultVersion  = "v25.0"

	defaultCatchUpWithin = 2 * time.Hour
)
