package graph

import (
	"time"

	"github.com/permesso/permesso/sender"
)

// meaning is what we know of one code.
type meaning struct {
	reaction sender.Reaction
	// wait is how long Meta's pages say to wait before trying again; 0 when they say nothing.
	wait   time.Duration
	title  string
	advice string
}

// codes is Meta's list (Meta, "Error codes", read 2026-09-11; HTTP statuses and older codes from its copy of 2025-12-12).
// Every code may come in an answer and by webhook.
var codes = map[int]meaning{
	// The token and what it may do.
	0:      {sender.PauseToken, 0, "Authentication failed", "The access token is refused or the app is blocked: make a new system-user token and put it in place."},
	3:      {sender.PauseToken, 0, "API method not allowed", "The app lacks a capability: check its permissions in Meta's app dashboard."},
	10:     {sender.PauseToken, 0, "Permission denied", "Give the token's system user whatsapp_business_messaging for this account."},
	104:    {sender.PauseToken, 0, "Access token missing", "Put an access token into graph.access_token."},
	190:    {sender.PauseToken, 0, "Access token expired or invalid", "Make a new system-user token and put it in place; runs go on by themselves."},
	200:    {sender.PauseToken, 0, "API permission missing", "Give the token's system user access to this account and its permissions."},
	131005: {sender.PauseToken, 0, "Access denied", "Give the token's system user whatsapp_business_messaging for this account."},

	// The account.
	368:    {sender.PauseAccount, 0, "Account blocked for policy violations", "Read the account's quality page in WhatsApp Manager and appeal there; sending on makes it worse."},
	131031: {sender.PauseAccount, 0, "Account locked", "Read why in WhatsApp Manager and appeal there."},
	131042: {sender.PauseAccount, 0, "Payment problem", "Mend the payment method, currency or time zone in Meta's billing hub, then resume; queued messages wait."},
	131044: {sender.PauseAccount, 0, "Payment problem with calls", "Mend the payment method in Meta's billing hub."},
	131064: {sender.PauseAccount, 0, "Limit reached after template misclassification", "Meta lifts it by itself; check that utility templates carry no marketing."},

	// The number.
	33:     {sender.PauseNumber, 0, "Number deleted", "The phone number id no longer exists: correct numbers in the configuration."},
	803:    {sender.PauseNumber, 0, "Object does not exist", "Check the phone number id and that the token may see it."},
	131037: {sender.PauseNumber, 0, "Display name not approved", "Have the number's display name approved in WhatsApp Manager."},
	131045: {sender.PauseNumber, 0, "Number not registered", "Register the number for the Cloud API, then resume."},
	131048: {sender.PauseNumber, 0, "Restricted for spam", "People block or report this number: find out why before you resume, and ask fewer people."},
	133000: {sender.PauseNumber, 0, "Deregistration incomplete", "Deregister the number again, then register it."},
	133005: {sender.PauseNumber, 0, "Wrong two-step PIN", "Register the number with its right PIN."},
	133006: {sender.PauseNumber, 0, "Number not verified", "Verify the number, then register it."},
	133008: {sender.PauseNumber, 0, "Too many PIN guesses", "Wait as long as the details say before registering again."},
	133009: {sender.PauseNumber, 0, "PIN guessed too fast", "Wait as long as the details say before registering again."},
	133010: {sender.PauseNumber, 0, "Number not registered", "Register the number for the Cloud API, then resume."},
	133015: {sender.PauseNumber, 0, "Number recently deleted", "Wait five minutes, then register it again."},
	133016: {sender.PauseNumber, 0, "Registered too often", "Meta allows 10 registrations in 72 hours: wait, and never register in a loop."},

	// The template.
	132000: {sender.PauseTemplate, 0, "Parameter count differs", "The template changed: run `permesso templates sync` and fit the campaign's parameters."},
	132001: {sender.PauseTemplate, 0, "Template does not exist", "It is missing in this language or not approved: run `permesso templates sync`."},
	132008: {sender.PauseTemplate, 0, "Components differ", "The template changed: run `permesso templates sync` and fit the campaign's parameters."},
	132012: {sender.PauseTemplate, 0, "Parameter format differs", "Header type or names of variables changed: run `permesso templates sync`."},
	132015: {sender.PauseTemplate, 0, "Template paused", "Its quality is low: Meta pauses it for hours; change the text or the audience before you resume."},
	132016: {sender.PauseTemplate, 0, "Template disabled", "It was paused too often and is dead: write another."},
	132068: {sender.PauseTemplate, 0, "Flow blocked", "Mend the flow in WhatsApp Manager."},
	134102: {sender.PauseTemplate, 0, "Template unavailable for marketing messages", "Set endpoint: messages, or use another template."},

	// The run: everyone in it would meet the same.
	131014: {sender.PauseRun, 0, "Media address failed", "Meta cannot fetch the header's link: make it public, or upload the media."},
	131030: {sender.PauseRun, 0, "Recipient not allowed for a test number", "Use the real number, or add the recipient to the test number's list."},
	131055: {sender.PauseRun, 0, "Method not allowed", "Only marketing templates go through marketing_messages: set endpoint: messages."},
	131061: {sender.PauseRun, 0, "Template needs marketing_messages", "Set endpoint: marketing_messages."},
	131063: {sender.PauseRun, 0, "Marketing switched off for /messages", "Set endpoint: marketing_messages, or change the account's switch."},
	134011: {sender.PauseRun, 0, "Payments terms not accepted", "Accept the payments terms in WhatsApp Manager."},
	134100: {sender.PauseRun, 0, "Only marketing templates", "Set endpoint: messages for this campaign."},

	// The rate.
	4:       {sender.SlowDown, time.Minute, "Too many calls", "The app's own limit is reached; it goes on by itself, more slowly."},
	80007:   {sender.SlowDown, time.Minute, "Account's call limit reached", "It goes on by itself, more slowly."},
	130429:  {sender.SlowDown, 0, "Throughput reached", "Lower messages_per_second if this stays: the number shares it with all it receives."},
	131057:  {sender.SlowDown, time.Minute, "Account in maintenance", "It goes on by itself, usually within a minute."},
	132069:  {sender.SlowDown, 0, "Flow throttled", "The flow is limited to 10 messages an hour: mend it in WhatsApp Manager."},
	2494100: {sender.SlowDown, time.Minute, "Maintenance", "It goes on by itself within minutes."},
	131056:  {sender.PairLimit, 0, "Too many messages to one person", "This person alone waits; it goes on by itself."},

	// What passes.
	1:      {sender.Retry, 0, "Unknown error", "It is tried again a few times; if it stays, look at Meta's status page."},
	2:      {sender.Retry, 0, "Service unavailable", "It is tried again; look at Meta's status page."},
	131000: {sender.Retry, 0, "Something went wrong", "It is tried again a few times."},
	131016: {sender.Retry, 0, "Service unavailable", "It is tried again; look at Meta's status page."},
	131053: {sender.Retry, 0, "Media upload failed", "Meta could not fetch or read the media: check its link, type and size."},
	131059: {sender.Retry, 0, "Page of the list expired", "The list is read again from its start."},
	133004: {sender.Retry, 0, "Server unavailable", "It is tried again; look at Meta's status page."},
	134101: {sender.Retry, 10 * time.Minute, "Template still being prepared", "A new template takes up to 10 minutes before marketing_messages takes it."},

	// The person.
	131049: {sender.Cooldown, 0, "Not delivered, to keep the person's inbox healthy", "Meta limits marketing per person: leave them alone for a day at least."},
	137000: {sender.Cooldown, 0, "Identity changed", "The person registered anew: check that the number is still theirs."},
	131050: {sender.Suppress, 0, "Person stopped marketing", "They stopped marketing messages in WhatsApp itself; they get none until they resume there."},
	131026: {sender.Undeliverable, 0, "Undeliverable", "Perhaps no WhatsApp number, an old app, or terms not accepted; Meta does not say which."},

	// This message.
	100:     {sender.FailMessage, 0, "Invalid parameter", "The details say which; if every message meets it, look at the campaign's parameters."},
	130403:  {sender.FailMessage, 0, "Blocked by this business", "The business itself blocked this person in WhatsApp."},
	130472:  {sender.FailMessage, 0, "Part of an experiment", "Meta withholds marketing from this person for an experiment; it is not charged."},
	130497:  {sender.FailMessage, 0, "Not allowed in this country", "Leave the country out with policy.countries."},
	131008:  {sender.FailMessage, 0, "Parameter missing", "The details say which; look at the campaign's parameters."},
	131009:  {sender.FailMessage, 0, "Parameter not valid", "The details say which; for a template made minutes ago, wait 10 minutes."},
	131021:  {sender.FailMessage, 0, "Recipient is the sender", "Take the business's own number out of the contacts."},
	131047:  {sender.FailMessage, 0, "Service window closed", "Only templates may be sent after 24 hours."},
	131051:  {sender.FailMessage, 0, "Message type not supported", "Nothing to do."},
	131052:  {sender.FailMessage, 0, "Media could not be downloaded", "Nothing to do: it concerns a message that came in."},
	131060:  {sender.FailMessage, 0, "Message unavailable", "Nothing to do: it concerns a message that came in."},
	131062:  {sender.FailMessage, 0, "Phone number needed", "This kind of template cannot go to a user id: import the person's number."},
	131065:  {sender.FailMessage, 0, "Not available in this country", "Set endpoint: messages, or leave the country out with policy.countries."},
	131070:  {sender.FailMessage, 0, "Conversation belongs to another partner", "Another provider answers this person: see conversation routing in WhatsApp Manager."},
	132005:  {sender.FailMessage, 0, "Text too long", "This person's values make the text longer than Meta allows."},
	132007:  {sender.FailMessage, 0, "Text breaks a policy", "This person's values hold something that Meta does not allow."},
	132018:  {sender.FailMessage, 0, "Parameter not valid", "The details say which; newlines, tabs and long runs of spaces are taken out before sending."},
	135000:  {sender.FailMessage, 0, "Request not valid", "The details say why."},
	136024:  {sender.FailMessage, 0, "Verification code cannot be asked for", "It concerns registering a number."},
	138038:  {sender.FailMessage, 0, "Calling not possible", "It concerns calls, which permesso does not make."},
	139100:  {sender.FailMessage, 0, "Blocking failed", "It concerns blocking people."},
	139101:  {sender.FailMessage, 0, "Block list full", "It concerns blocking people."},
	139102:  {sender.FailMessage, 0, "Block list changed meanwhile", "It concerns blocking people."},
	139103:  {sender.FailMessage, 0, "Blocking failed", "It concerns blocking people."},
	139200:  {sender.FailMessage, 0, "Direct send refused", "It concerns direct send, which permesso does not use."},
	147001:  {sender.FailMessage, 0, "Username refused", "It concerns the business's username."},
	147002:  {sender.FailMessage, 0, "Username refused", "It concerns the business's username."},
	147003:  {sender.FailMessage, 0, "Username refused", "It concerns the business's username."},
	147004:  {sender.FailMessage, 0, "Username refused", "It concerns the business's username."},
	147005:  {sender.FailMessage, 0, "Username refused", "It concerns the business's username."},
	200005:  {sender.FailMessage, 0, "Template insights unavailable", "It concerns statistics of templates."},
	200006:  {sender.FailMessage, 0, "Template insights not enabled", "It concerns statistics of templates."},
	200007:  {sender.FailMessage, 0, "Template insights not enabled", "It concerns statistics of templates."},
	1752041: {sender.FailMessage, 0, "Already onboarded", "It concerns joining the Marketing Messages API."},
	2388318: {sender.FailMessage, 0, "Direct send refused", "It concerns direct send, which permesso does not use."},
	2388330: {sender.FailMessage, 0, "Direct send refused", "It concerns direct send, which permesso does not use."},
}
