package sandbox

import "encoding/json"

// DemoTemplates returns the templates of an invented bookshop, as GET
// message_templates lists them: weekend_offer (marketing, it and en: body
// {{1}} name and {{2}} date, URL button with a suffix at index 0, stop button
// at index 1), order_update (utility, en, named parameters first_name and
// order) and winter_preview (marketing, it, PAUSED).
func DemoTemplates() []json.RawMessage {
	return []json.RawMessage{
		json.RawMessage(`{"id":"1304694804498701","name":"weekend_offer","language":"it","status":"APPROVED","category":"MARKETING",
"parameter_format":"POSITIONAL","sub_category":"CUSTOM","quality_score":{"score":"GREEN","date":1795200000},
"components":[
{"type":"BODY","text":"Ciao {{1}}, questo fine settimana alla Libreria Aurora tutti i tascabili costano il 20% in meno, fino al {{2}}. Ti aspettiamo!","example":{"body_text":[["Giulia","30 novembre"]]}},
{"type":"FOOTER","text":"Non vuoi più offerte? Tocca Stop offerte"},
{"type":"BUTTONS","buttons":[
{"type":"URL","text":"Vedi i libri","url":"https://aurora.example/{{1}}","example":["https://aurora.example/tascabili"]},
{"type":"QUICK_REPLY","text":"Stop offerte"}]}]}`),
		json.RawMessage(`{"id":"1304694804498702","name":"weekend_offer","language":"en","status":"APPROVED","category":"MARKETING",
"parameter_format":"POSITIONAL","sub_category":"CUSTOM","quality_score":{"score":"GREEN","date":1795200000},
"components":[
{"type":"BODY","text":"Hello {{1}}, this weekend every paperback at Libreria Aurora is 20% off, until {{2}}. See you there!","example":{"body_text":[["Ann","30 November"]]}},
{"type":"FOOTER","text":"No more offers? Tap Stop offers"},
{"type":"BUTTONS","buttons":[
{"type":"URL","text":"See the books","url":"https://aurora.example/{{1}}","example":["https://aurora.example/paperbacks"]},
{"type":"QUICK_REPLY","text":"Stop offers"}]}]}`),
		json.RawMessage(`{"id":"1304694804498703","name":"order_update","language":"en","status":"APPROVED","category":"UTILITY",
"parameter_format":"NAMED","sub_category":"CUSTOM","quality_score":{"score":"UNKNOWN","date":1795200000},
"components":[
{"type":"BODY","text":"Hello {{first_name}}, your order {{order}} is ready to be collected.","example":{"body_text_named_params":[{"param_name":"first_name","example":"Ann"},{"param_name":"order","example":"A-1042"}]}}]}`),
		json.RawMessage(`{"id":"1304694804498704","name":"winter_preview","language":"it","status":"PAUSED","category":"MARKETING",
"parameter_format":"POSITIONAL","sub_category":"CUSTOM","quality_score":{"score":"RED","date":1795200000},
"components":[
{"type":"HEADER","format":"TEXT","text":"Anteprima d'inverno"},
{"type":"BODY","text":"Ciao {{1}}, le novità dell'inverno sono arrivate in libreria.","example":{"body_text":[["Giulia"]]}},
{"type":"BUTTONS","buttons":[{"type":"QUICK_REPLY","text":"Stop offerte"}]}]}`),
	}
}
