package policy

import "strings"

// vocabulary is what people of one language write to stop, and to start again.
type vocabulary struct {
	language string // BCP 47
	// stop words are plain as a whole message, and looked for at either end of a short one.
	stop string
	// whole words have other everyday meanings ("cancel my order"): they stop only as the entire message.
	whole string
	// phrases are unambiguous, and longer than a word or two.
	phrases string
	// start words lift a stop. Never yes, sì or ok: they answer other questions. A word too few costs less than one too many.
	start string
}

// vocabularies returns the built-in lists, separated by commas. The words are those of the platforms' own lists (Twilio,
// AWS End User Messaging, Telnyx, Braze, Aivo), of the FCC's words per se (47 CFR 64.1200(a)(10)) and of public code;
// what opens again is kept shorter than what closes.
func vocabularies() []vocabulary {
	return []vocabulary{
		{
			language: "en",
			stop:     "stop, stopall, stop all, unsubscribe, unsubscribe me, optout, opt out, opt me out, revoke, quit, remove me",
			whole:    "end, cancel, remove",
			phrases: "remove me from your list, remove me from the list, remove me from this list, take me off, take me off your list, take me off this list, " +
				"don't message me, do not message me, don't text me, do not text me, don't contact me, do not contact me, don't write to me, " +
				"don't message me again, don't text me again, don't contact me again, do not contact me again, " +
				"stop messaging me, stop texting me, stop contacting me, stop writing to me, stop sending me messages, stop sending messages, stop messages, " +
				"stop promotions, stop marketing, no more messages, no more texts, no more promotions, no more ads, i want to unsubscribe, i want to opt out, leave me alone",
			start: "start, unstop, subscribe, resubscribe",
		},
		{
			language: "it",
			stop:     "stop, basta, cancellami, cancellatemi, disiscrivimi, disiscrivetemi, disiscrivermi, disiscriviti, disiscrizione, annulla iscrizione, arresta",
			phrases: "non scrivermi, non scrivermi più, non scrivetemi, non scrivetemi più, non mi scrivere, non mi scrivere più, non mi scrivete più, " +
				"non contattarmi, non contattarmi più, non contattatemi, non contattatemi più, non mi contattate più, " +
				"non voglio più messaggi, non voglio più ricevere messaggi, non voglio ricevere messaggi, basta messaggi, basta pubblicità, " +
				"toglimi dalla lista, toglietemi dalla lista, rimuovimi, rimuovetemi, rimuovimi dalla lista, cancellami dalla lista, cancellatemi dalla lista, " +
				"stop promozioni, stop pubblicità, stop messaggi, voglio disiscrivermi, voglio cancellarmi",
			start: "riprendi, iscrivimi",
		},
		{
			language: "es",
			stop:     "stop, baja, alto, parar, detener, desuscribir, desuscribirme, darse de baja",
			whole:    "cancelar",
			phrases: "darme de baja, dame de baja, denme de baja, me doy de baja, quiero darme de baja, quiero la baja, dar de baja, " +
				"cancelar suscripción, cancelar la suscripción, cancelar mi suscripción, no me escriban, no me escriban más, no me escribas, no me escribas más, " +
				"dejen de escribirme, deja de escribirme, dejen de enviarme mensajes, no molesten, no me molesten, no quiero más mensajes, no más mensajes, no quiero recibir más mensajes",
			start: "suscribir, iniciar",
		},
		{
			language: "pt",
			stop:     "stop, parar, pare, descadastrar, descadastre, me descadastre",
			whole:    "cancelar, sair, remover",
			phrases: "quero me descadastrar, quero sair da lista, pare de me mandar mensagem, pare de me mandar mensagens, parem de me mandar mensagem, parem de me mandar mensagens, " +
				"não quero mais receber, não quero mais receber mensagens, não quero mais mensagens, não quero receber mais mensagens, não me contacte, não me contacte mais, não me contate mais, " +
				"não me mande mais, não me mande mais mensagens, não me mandem mais mensagens, cancelar inscrição, cancelar minha inscrição",
			start: "iniciar, cadastrar",
		},
		{
			language: "fr",
			stop:     "stop, arrêt, arrête, arrêter, arrêtez, désabonner, désabonnement, désinscription, désinscrire",
			phrases: "se désabonner, me désabonner, désabonnez-moi, désabonne-moi, désinscrivez-moi, je veux me désabonner, je souhaite me désabonner, " +
				"ne m'écrivez plus, ne m'écris plus, ne me contactez plus, plus de messages, plus de message, plus de pub, arrêtez de m'écrire, arrêtez de m'envoyer des messages, stop pub",
		},
		{
			language: "de",
			stop:     "stop, stopp, abmelden, abmeldung, abbestellen, austragen",
			whole:    "löschen, loeschen",
			phrases: "keine werbung, keine werbung mehr, bitte keine werbung, bitte keine werbung mehr, keine nachrichten mehr, bitte keine nachrichten mehr, " +
				"ich möchte mich abmelden, ich will mich abmelden, ich möchte keine nachrichten mehr, schreibt mir nicht mehr, schreiben sie mir nicht mehr, nicht mehr schreiben",
		},
		{
			language: "nl",
			stop:     "stop, stoppen, afmelden, uitschrijven",
			phrases:  "meld me af, meld mij af, schrijf me uit, schrijf mij uit, geen berichten meer, geen reclame meer, stuur me geen berichten meer",
		},
		{
			language: "pl",
			stop:     "stop, wypisz",
			phrases:  "wypisz mnie, proszę mnie wypisać, nie piszcie do mnie, nie piszcie więcej",
		},
		{
			language: "id",
			stop:     "stop, berhenti",
			whole:    "batal, keluar",
			phrases:  "berhenti berlangganan, jangan kirim lagi, jangan kirim pesan lagi, tidak mau lagi",
		},
		{
			language: "ru",
			stop:     "стоп, отписаться, отпишите, хватит",
			phrases:  "отпишите меня, хочу отписаться, не пишите, не пишите мне, не пишите мне больше, не пишите больше, больше не пишите, хватит уже, хватит писать",
			start:    "подписаться, старт",
		},
		{
			language: "he",
			stop:     "הסר, הסרה, הסירו, הסר אותי, להסיר, תפסיק, תפסיקו",
			whole:    "בטל",
			phrases:  "אל תשלחו, אל תשלחו לי, אל תשלחו לי יותר הודעות, אל תשלחו יותר, תפסיקו לשלוח, תפסיקו לשלוח לי הודעות, תמחקו אותי, הסירו אותי",
			start:    "חזור, הרשם",
		},
		{
			language: "ar",
			stop:     "إيقاف, توقف",
			whole:    "إلغاء",
			phrases:  "إيقاف الرسائل, إلغاء الاشتراك, لا تراسلني, لا تراسلوني, أوقف الرسائل, أوقفوا الرسائل",
			start:    "ابدأ, استئناف",
		},
		{
			language: "hi",
			stop:     "बंद, बंद करो, बंद करें, रोको, रोकें, band karo, bandh karo",
			phrases:  "band karo message, message band karo, मैसेज बंद करो, मैसेज बंद करें",
			start:    "shuru karo, चालू करो",
		},
		{
			language: "gu",
			stop:     "બંધ, બંધ કરો",
		},
	}
}

// What people put around a stop word out of politeness, and what turns one into its opposite.
const (
	politeness = "hi, hello, hey, dear, please, pls, plz, thanks, thank you, thx, thank you very much, many thanks, no thanks, no thank you, sorry, " +
		"ciao, salve, buongiorno, buonasera, per favore, per piacere, per cortesia, grazie, grazie mille, no grazie, scusate, " +
		"hola, buenas, buenos días, buenas tardes, por favor, porfa, porfavor, gracias, muchas gracias, no gracias, " +
		"olá, oi, bom dia, boa tarde, obrigado, obrigada, muito obrigado, não obrigado, não obrigada, " +
		"bonjour, bonsoir, salut, s'il vous plaît, s'il te plaît, svp, stp, merci, merci beaucoup, non merci, " +
		"hallo, guten tag, guten morgen, bitte, danke, vielen dank, danke schön, nein danke, " +
		"hoi, alstublieft, alsjeblieft, aub, bedankt, dank u, dank je, nee bedankt, cześć, dzień dobry, proszę, dziękuję, nie dziękuję, " +
		"halo, tolong, mohon, terima kasih, makasih, привет, здравствуйте, добрый день, пожалуйста, спасибо, нет спасибо, " +
		"שלום, בבקשה, תודה, לא תודה, مرحبا, السلام عليكم, من فضلك, لو سمحت, شكرا, لا شكرا, नमस्ते, कृपया, धन्यवाद, प्लीज"

	// ли makes a question of the word before it.
	negations = "no, not, dont, don, do not, doesnt, didnt, cant, cannot, wont, never, non, mai, nunca, jamás, não, nem, ne, pas, jamais, " +
		"nicht, nie, niemals, kein, keine, niet, nooit, geen, jangan, tidak, tak, bukan, не, нет, никогда, ли, לא, אל, בלי, لا, لم, لن, मत, नहीं, mat, nahi"

	// answers come before a comma: "No, stop" is a stop, "no stop" is not.
	answers = "no, nope, nein, nee, não, non, нет, לא, لا, नहीं"
)

func listed(words string) []string {
	if words == "" {
		return nil
	}
	return strings.Split(words, ", ")
}
