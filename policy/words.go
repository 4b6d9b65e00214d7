package policy

import "strings"

// vocabulary is what people of one language write to stop, and to start again. The first lists are whole messages; the
// lists of roles are the words out of which other messages with the same meaning are made. Each is separated by commas.
type vocabulary struct {
	language string // BCP 47
	// stop words are plain as a whole message, and looked for at either end of a short one.
	stop string
	// leave words say nothing but that somebody wants off a list: plain as a whole message, and looked for anywhere.
	leave string
	// whole words have other everyday meanings ("cancel my order"): they stop only as the entire message.
	whole string
	// phrases are unambiguous as a whole message.
	phrases string
	// start words lift a stop. Never yes, sì or ok: they answer other questions. A word too few costs less than one too many.
	start string
	// near phrases are complaints and refusals that only resemble an opt-out, wherever they stand.
	near string
	// ordinary phrases contain a word of the lists and mean something else: "bus stop", "sair de casa".
	ordinary string

	not       string // negations by which a message asks ("do not write"), or turns another word into its opposite
	write     string // what the business shall not do to the person: write to, call, disturb
	writeMe   string // the same with the person in it: "scrivermi"
	send      string // what it shall not do with messages: send
	sendMe    string // the same with the person in it: "mandarmi"
	get       string // what the person does with messages: receive
	messages  string // what is sent
	ads       string // what is sent and unwanted by its name
	more      string // any more, again
	want      string // to want
	remove    string // to take off a list
	removeMe  string // the same with the person in it: "toglimi"
	me        string // the person
	list      string // what one is taken off, or what of the person is
	small     string // words that change nothing
	these     string // this, that, everything
	now       string // at once, for good
	ask       string // politeness in the shape of a question or an order: "can you"
	how       string // asking how to leave
	why       string // asking about something else
	dontWant  string // not and want in one word
	dontWrite string // not and write in one word
	dontSend  string // not and send in one word
}

// vocabularies returns the built-in lists. The stop words are those of the platforms' own lists (Twilio, AWS End User
// Messaging, Telnyx, Braze, Aivo), of the FCC's words per se (47 CFR 64.1200(a)(10)) and of public code; what opens again
// is kept shorter than what closes.
func vocabularies() []vocabulary {
	return []vocabulary{
		english(), italian(), spanish(), portuguese(), french(), german(), dutch(), polish(), indonesian(),
		russian(), hebrew(), arabic(), hindi(), gujarati(), turkish(),
	}
}

// What people put around a stop word out of politeness.
const (
	politeness = "hi, hello, hey, dear, please, pls, plz, plss, pleas, thanks, thank you, thank u, thx, ty, tks, tnx, cheers, thank you very much, thanks a lot, many thanks, thank you so much, no thanks, no thank you, sorry, kindly, " +
		"hi there, hello there, good morning, good afternoon, good evening, good day, ok, okay, sir, madam, sir or madam, sir madam, team, guys, everyone, there, regards, best regards, kind regards, have a nice day, have a good day, bye, goodbye, excuse me, i am sorry, im sorry, if possible, amen, " +
		"ciao, salve, buongiorno, buon giorno, buonasera, buona sera, buona giornata, buona serata, per favore, perfavore, x favore, per piacere, per cortesia, cortesemente, gentilmente, grazie, grazie mille, grz, no grazie, scusate, scusa, scusi, vi prego, ti prego, prego, cordiali saluti, saluti, distinti saluti, arrivederci, va bene, mi dispiace, " +
		"hola, buenas, buenos días, buenas tardes, buenas noches, buen día, por favor, porfa, porfavor, x favor, xfa, plis, gracias, muchas gracias, mil gracias, no gracias, saludos, un saludo, disculpe, disculpa, perdón, perdone, lo siento, señores, estimados, vale, adiós, amigos, " +
		"olá, oi, oie, bom dia, boa tarde, boa noite, por gentileza, pfv, pfvr, obrigado, obrigada, obg, brigado, brigada, grato, grata, muito obrigado, muito obrigada, não obrigado, não obrigada, desculpe, desculpa, agradeço, abraço, abraços, tchau, tá bom, ok obrigado, " +
		"bonjour, bonsoir, salut, coucou, s'il vous plaît, s'il te plaît, s'il vous plait merci, svp, stp, merci, merci beaucoup, merci d'avance, merci bien, non merci, désolé, désolée, pardon, cordialement, bonne journée, bonne soirée, au revoir, madame, monsieur, d'accord, " +
		"hallo, hi zusammen, guten tag, guten morgen, guten abend, servus, moin, grüß gott, gruess gott, grüezi, bitte, bitte bitte, danke, vielen dank, danke schön, dankeschön, danke sehr, besten dank, nein danke, entschuldigung, sorry, liebe grüße, lg, mfg, mit freundlichen grüßen, viele grüße, tschüss, okay, " +
		"hoi, dag, goedemorgen, goedemiddag, goedenavond, goedendag, beste, alstublieft, alsjeblieft, aub, ajb, bedankt, alvast bedankt, dank u, dank u wel, dank je, dank je wel, dankjewel, nee bedankt, nee dank je, groetjes, groeten, mvg, met vriendelijke groet, " +
		"cześć, dzień dobry, dobry wieczór, dobry, witam, hej, siema, proszę, bardzo proszę, prosze, dziękuję, dziękuję bardzo, dzięki, dziekuje, dzieki, nie dziękuję, pozdrawiam, przepraszam, do widzenia, szanowni państwo, " +
		"halo, hai, tolong, mohon, mohon maaf, terima kasih, terimakasih, makasih, makasi, trims, tengkyu, maaf, permisi, selamat pagi, selamat siang, selamat sore, selamat malam, kak, admin, mbak, dong, sila, tolonglah, salam, assalamualaikum, tidak terima kasih, nggak makasih, " +
		"привет, здравствуйте, здравствуй, добрый день, доброе утро, добрый вечер, доброго дня, пожалуйста, пожалуйсто, плиз, плз, пж, пжл, пжлст, спасибо, спс, большое спасибо, спасибо большое, заранее спасибо, благодарю, нет спасибо, спасибо не надо, извините, простите, до свидания, ребята, уважаемые, всего доброго, хорошего дня, ок, " +
		"שלום, היי, הי, אהלן, בוקר טוב, ערב טוב, צהריים טובים, בבקשה, נא, אנא, תודה, תודה רבה, המון תודה, לא תודה, סליחה, מצטער, מצטערת, יום טוב, אוקיי, אוקי, חברים, " +
		"مرحبا, أهلا, اهلا, السلام عليكم, السلام عليكم ورحمة الله, السلام عليكم ورحمة الله وبركاته, سلام, صباح الخير, مساء الخير, من فضلك, من فضلكم, لو سمحت, لو سمحتم, لوسمحت, لوسمحتوا, لو سمحتوا, رجاء, الرجاء, ارجو, أرجوكم, أرجوك, ارجوكم, يرجى, شكرا, شكرا لكم, شكرا لك, شكرا جزيلا, مشكورين, مشكور, لا شكرا, عذرا, اسف, آسف, معلش, تحياتي, يا جماعة, مع السلامة, " +
		"नमस्ते, नमस्कार, हैलो, हेलो, कृपया, कृप्या, कृपा करके, कृपया करके, प्लीज, प्लीज़, धन्यवाद, शुक्रिया, जी, सर, मैडम, भाई, भैया, भाई साहब, यार, माफ़ कीजिए, नहीं धन्यवाद, namaste, namaskar, kripya, kripaya, krupya, dhanyavad, dhanyawad, shukriya, bhai, bhaiya, yaar, yar, ji, nahi dhanyavad, નમસ્તે, મહેરબાની કરીને, કૃપા કરીને, આભાર, " +
		"merhaba, merhabalar, selam, selamlar, selamün aleyküm, iyi günler, günaydın, iyi akşamlar, iyi geceler, lütfen, rica ederim, rica ediyorum, rica etsem, teşekkürler, teşekkür ederim, teşekkür ederiz, sağ olun, sağolun, sağol, saol, hayır teşekkürler, yok teşekkürler, kusura bakmayın, kusura bakma, pardon, kolay gelsin, sayın yetkili, tamam, hocam, arkadaşlar"

	// answers come before a comma: "No, stop" is a stop, "no stop" is not.
	answers = "no, nope, nah, nein, nee, não, non, нет, לא, لا, नहीं, nahi, nie, tidak, hayır, ga, gak, enggak"

	// said is padding too, where the rest of the message is plain: an answer, a name for the reader, anger.
	said = "yes, yeah, yep, sì, si, sí, sim, oui, ja, tak, да, כן, نعم, ايوه, हाँ, हां, haan, evet, iya, well, so, and, e, y, et, und, en, i, dan, и, а, و, और, ve, also, ma, pero, mais, aber, maar, ale, tapi, но, but, then, ya, yah, allora, dai, entonces, pues, então, alors, donc, dann, dus, więc, wow, hey, oh, ugh, omg, lol, damn, fuck, fucking, fckn, wtf, bloody, hell, " +
		"cazzo, porca miseria, joder, coño, mierda, puta, caralho, porra, merda, putain, merde, bordel, verdammt, scheiße, scheisse, kurwa, cholera, блин, блять, бля, сука, lanet"
)

func listed(words string) []string {
	if words == "" {
		return nil
	}
	return strings.Split(words, ", ")
}
