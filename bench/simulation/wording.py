# SPDX-License-Identifier: GPL-3.0-or-later
"""What people write, by language: every sentence is filled anew, so that no two mails are alike.  Data only.

{g} goods, {n} a number of a document, {q} a quantity, {p} a price, {c} a place, {d} a day.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wording:
    """One language.  `subjects`, `buyer` and `rep` go together by position of the topic."""

    greet: tuple[str, ...]
    subjects: tuple[str, ...]
    buyer: tuple[str, ...]
    answers: tuple[str, ...]  # of a buyer who answers
    rep: tuple[str, ...]
    close: tuple[str, ...]
    phone: str
    reply: str
    forward: str
    away: str
    joined: str  # he works for somebody else now; {co} for whom
    for_buyer: str  # an agent names whom he writes for: {co}


GOODS = (
    "cordless drills 18 V", "LED panels 60x60", "hinges 35 mm", "solar pumps", "brake pads", "office chairs",
    "garden hoses", "stainless bolts M8", "ceramic tiles", "kitchen taps", "bicycle lamps", "welding masks",
    "paint rollers", "door locks", "water filters", "camping tents", "cable ties", "angle grinders",
)  # fmt: skip
WORDS: dict[str, Wording] = {
    "en": Wording(
        ("Dear sales team,", "Hello,", "Dear Sir or Madam,", "Hi there,"),
        ("Inquiry for {g}", "Price request {g}", "Purchase order {n}", "RFQ {n} - {g}", "Order {g}", "Samples of {g}"),
        (
            "we are looking for {g}, about {q} pcs, delivery to {c}.",
            "Please quote your best price for {q} pcs of {g}, CIF {c}.",
            "Could you tell us the lead time and the packing of item {n}?",
            "We need {q} pieces of {g} before {d}. Target price is USD {p}.",
            "Please send us your catalogue and the price list for {g}.",
            "We would like to order {q} sets as in your offer {n}.",
        ),
        (
            "thank you, the price of USD {p} is still a little high for {q} pcs.",
            "OK, please send the proforma invoice {n} and we will pay the deposit by {d}.",
            "Our engineer asks whether {g} can be delivered in black.",
            "Payment was made today, reference {n}.",
            "When does the vessel leave? We need the documents by {d}.",
            "Please confirm {q} pcs and the shipping mark {n}.",
        ),
        (
            "thank you for your message. Our price for {q} pcs of {g} is USD {p} FOB Ningbo.",
            "please find our offer {n} attached; it is valid until {d}.",
            "The samples will leave on {d}, the courier number is {n}.",
            "We can ship {q} pcs on {d}. Please confirm the details of order {n}.",
        ),
        ("Best regards", "Kind regards", "Thanks and regards", "Sincerely"),
        "Tel", "Re: ", "Fwd: ",
        "I am out of the office until {d} with limited access to mail.",
        "please note that I have left my former employer and now work for {co}.",
        "we write on behalf of our client {co}, who needs {q} pcs of {g}.",
    ),
    "de": Wording(
        ("Sehr geehrte Damen und Herren,", "Guten Tag,", "Hallo,"),
        ("Anfrage {g}", "Preisanfrage {n}", "Bestellung {n}", "Muster {g}", "Angebot {g} {n}"),
        (
            "wir suchen {g}, Menge {q} Stück, Lieferung nach {c}.",
            "bitte nennen Sie uns Ihren besten Preis für {q} Stück {g}.",
            "Wie lange ist die Lieferzeit für Artikel {n}?",
            "Wir brauchen {q} Stück bis {d}, unser Zielpreis ist {p} USD.",
            "Bitte senden Sie uns Ihren Katalog für {g}.",
        ),
        (
            "vielen Dank, der Preis von {p} USD ist für {q} Stück noch zu hoch.",
            "bitte schicken Sie die Proformarechnung {n}, wir zahlen bis {d} an.",
            "Die Zahlung ist heute raus, Beleg {n}.",
            "Wann geht das Schiff? Wir brauchen die Papiere bis {d}.",
        ),
        (
            "vielen Dank für Ihre Nachricht. Unser Preis für {q} Stück ist {p} USD FOB Ningbo.",
            "unser Angebot {n} finden Sie anbei, es gilt bis {d}.",
        ),
        ("Mit freundlichen Grüßen", "Viele Grüße", "Freundliche Grüße"),
        "Telefon", "AW: ", "WG: ",
        "Ich bin bis {d} nicht im Büro. Ihre Nachricht wird nicht weitergeleitet.",
        "ich habe die Firma gewechselt und arbeite jetzt für {co}.",
        "wir schreiben im Auftrag unseres Kunden {co}, der {q} Stück {g} braucht.",
    ),
    "es": Wording(
        ("Estimados señores:", "Buenos días,", "Hola,"),
        ("Consulta {g}", "Solicitud de precio {n}", "Pedido {n}", "Muestras de {g}"),
        (
            "buscamos {g}, unas {q} piezas, entrega en {c}.",
            "Por favor envíenos su mejor precio para {q} unidades de {g}.",
            "¿Cuál es el plazo de entrega del artículo {n}?",
            "Necesitamos {q} piezas antes del {d}. El precio objetivo es {p} USD.",
        ),
        (
            "gracias, pero {p} USD es todavía un poco caro para {q} piezas.",
            "de acuerdo, envíe la factura proforma {n} y pagamos el anticipo el {d}.",
            "El pago se hizo hoy, referencia {n}.",
            "¿Cuándo sale el barco? Necesitamos los documentos para el {d}.",
        ),
        ("gracias por su mensaje. Nuestro precio para {q} piezas es {p} USD FOB Ningbo.",
         "adjuntamos la oferta {n}, válida hasta el {d}."),
        ("Saludos cordiales", "Un saludo", "Atentamente"),
        "Tel.", "RE: ", "RV: ",
        "Estoy fuera de la oficina hasta el {d}.",
        "les informo que cambié de empresa y ahora trabajo en {co}.",
        "escribimos en nombre de nuestro cliente {co}, que necesita {q} piezas de {g}.",
    ),
    "ru": Wording(
        ("Добрый день!", "Здравствуйте,", "Уважаемые коллеги,"),
        ("Запрос цены {g}", "Заказ {n}", "Запрос {n}", "Образцы {g}"),
        (
            "нас интересует {g}, количество {q} шт., доставка до {c}.",
            "просим сообщить цену на {q} шт. {g} и срок поставки.",
            "Нам нужно {q} штук до {d}. Целевая цена {p} долларов.",
            "Пришлите, пожалуйста, каталог и прайс-лист на артикул {n}.",
        ),
        (
            "спасибо, но цена {p} долларов для {q} шт. высокая.",
            "хорошо, пришлите инвойс {n}, оплатим до {d}.",
            "Оплата сделана сегодня, платёжка {n}.",
            "Когда выходит судно? Документы нужны к {d}.",
        ),
        ("спасибо за письмо. Наша цена за {q} шт. — {p} долларов FOB Нинбо.",
         "направляем предложение {n}, действует до {d}."),
        ("С уважением,", "С наилучшими пожеланиями,"),
        "Тел.", "Re: ", "Fwd: ",
        "Меня не будет в офисе до {d}.",
        "сообщаю, что я перешёл в другую компанию и теперь работаю в {co}.",
        "пишем по поручению нашего клиента {co}, ему нужно {q} шт. {g}.",
    ),
    "ar": Wording(
        ("السادة المحترمون،", "مرحبا،", "تحية طيبة وبعد،"),
        ("طلب سعر {g}", "استفسار {n}", "طلب شراء {n}"),
        (
            "نحن نبحث عن {g} بكمية {q} قطعة والتسليم في {c}.",
            "نرجو إرسال أفضل سعر لعدد {q} قطعة من {g}.",
            "نحتاج {q} قطعة قبل {d} والسعر المطلوب {p} دولار.",
        ),
        (
            "شكرا لكم، السعر {p} دولار مرتفع لكمية {q} قطعة.",
            "موافقون، أرسلوا الفاتورة المبدئية {n} وسندفع قبل {d}.",
            "تم الدفع اليوم، رقم المرجع {n}.",
        ),
        ("شكرا لرسالتكم. سعرنا لعدد {q} قطعة هو {p} دولار FOB نينغبو.", "مرفق العرض {n} وهو صالح حتى {d}."),
        ("مع أطيب التحيات", "وتفضلوا بقبول فائق الاحترام"),
        "هاتف", "Re: ", "Fwd: ",
        "أنا خارج المكتب حتى {d}.",
        "أود إعلامكم أنني انتقلت إلى العمل في {co}.",
        "نكتب إليكم نيابة عن عميلنا {co} الذي يحتاج {q} قطعة من {g}.",
    ),
    "zh": Wording(
        ("您好，", "你好，", "尊敬的先生/女士："),
        ("询价 {g}", "采购订单 {n}", "{g} 报价请求", "样品 {n}"),
        (
            "我们需要采购 {g}，数量 {q} 件，交货地 {c}。",
            "请报 {g} {q} 件的最优惠价格和交货期。",
            "请寄货号 {n} 的目录和价格表。",
            "我们在 {d} 之前需要 {q} 件，目标价 {p} 美元。",
        ),
        (
            "谢谢，{q} 件的价格 {p} 美元还是偏高。",
            "好的，请发形式发票 {n}，我们 {d} 之前付定金。",
            "今天已付款，水单号 {n}。",
            "请问船期什么时候？{d} 之前需要单据。",
        ),
        ("感谢来信。{q} 件 {g} 的价格是 {p} 美元 FOB 宁波。", "附件是报价单 {n}，有效期至 {d}。"),
        ("此致敬礼", "祝商祺", "谢谢！"),
        "电话", "回复: ", "转发: ",
        "我在 {d} 之前不在办公室，回来后尽快回复。",
        "我已离开原公司，现在在{co}工作。",
        "我们代表客户{co}来信，他们需要 {q} 件 {g}。",
    ),
    "fr": Wording(
        ("Bonjour,", "Madame, Monsieur,"),
        ("Demande de prix {g}", "Commande {n}", "Demande {n}"),
        (
            "nous cherchons {g}, environ {q} pièces, livraison à {c}.",
            "merci de nous donner votre meilleur prix pour {q} pièces de {g}.",
            "Il nous faut {q} pièces avant le {d}, prix cible {p} USD.",
        ),
        (
            "merci, mais {p} USD reste trop cher pour {q} pièces.",
            "d'accord, envoyez la facture proforma {n}, nous payons l'acompte le {d}.",
            "Le virement est parti aujourd'hui, référence {n}.",
        ),
        ("merci pour votre message. Notre prix pour {q} pièces est de {p} USD FOB Ningbo.",
         "veuillez trouver notre offre {n}, valable jusqu'au {d}."),
        ("Cordialement", "Bien cordialement", "Meilleures salutations"),
        "Tél.", "RE: ", "TR: ",
        "Je suis absent du bureau jusqu'au {d}.",
        "je vous informe que j'ai changé de société et travaille maintenant pour {co}.",
        "nous écrivons pour le compte de notre client {co}, qui a besoin de {q} pièces de {g}.",
    ),
    "pt": Wording(
        ("Prezados,", "Bom dia,", "Olá,"),
        ("Cotação {g}", "Pedido {n}", "Consulta de preço {n}"),
        (
            "procuramos {g}, cerca de {q} peças, entrega em {c}.",
            "por favor enviem o melhor preço para {q} unidades de {g}.",
            "Precisamos de {q} peças até {d}, preço alvo {p} USD.",
        ),
        (
            "obrigado, mas {p} USD ainda está caro para {q} peças.",
            "ok, mandem a fatura proforma {n} e pagamos o sinal até {d}.",
            "O pagamento foi feito hoje, referência {n}.",
        ),
        ("obrigado pela mensagem. Nosso preço para {q} peças é {p} USD FOB Ningbo.",
         "segue a proposta {n}, válida até {d}."),
        ("Atenciosamente", "Um abraço", "Obrigado"),
        "Tel.", "RES: ", "ENC: ",
        "Estou fora do escritório até {d}.",
        "informo que mudei de empresa e agora trabalho na {co}.",
        "escrevemos em nome do nosso cliente {co}, que precisa de {q} peças de {g}.",
    ),
}  # fmt: skip

# What passes between us and those we buy from, and those who carry our goods: (ours, theirs) by language.
SUPPLIERS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "en": (
        (
            "please quote us your best price for {q} kg of ABS granulate, delivered to our factory.",
            "We place our purchase order {n} with you: {q} cartons, delivery to our warehouse by {d}.",
            "Your last delivery was {q} pieces short, please check delivery note {n}.",
            "Can you still deliver the {q} gear wheels that we ordered from you this week?",
            "We have remitted your invoice {n}; please issue the VAT receipt.",
        ),
        (
            "please find our quotation {n} for the material you asked for: USD {p} per kg.",
            "your order {n} is ready, our truck will be at your gate on {d}.",
            "Please arrange payment of our invoice {n} to our account by {d}.",
            "We can supply you {q} cartons a week; our price list is attached.",
            "Due to the price of copper we have to raise our prices for your orders from {d}.",
        ),
    ),
    "zh": (
        (
            "请报 {q} 公斤 ABS 粒子送到我厂的价格。",
            "我司向贵司下采购单 {n}，{q} 个纸箱，{d} 前送到仓库。",
            "上次送来的货少了 {q} 件，请核对送货单 {n}。",
            "贵司发票 {n} 的货款已付，请查收。",
        ),
        (
            "附件是贵司要的材料报价单 {n}，单价 {p} 元。",
            "贵司订单 {n} 已备好，{d} 送货上门，请安排收货。",
            "我司对账单 {n} 请核对，请于 {d} 前安排付款。",
            "因铜价上涨，我司自 {d} 起调整供货价格。",
        ),
    ),
    "de": (
        ("bitte bieten Sie uns {q} kg Granulat frei unser Werk an.", "wir bestellen bei Ihnen laut Auftrag {n} {q} Kartons."),
        ("unser Angebot {n} für die von Ihnen angefragten {q} kg: {p} USD.",
         "Ihre Bestellung {n} liefern wir am {d} an Ihr Lager, die Rechnung folgt."),
    ),
}  # fmt: skip
FORWARDERS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "en": (
        (
            "please quote ocean freight 1x40HC Ningbo to {c}, ready on {d}.",
            "Please book {q} CBM to {c}; the cargo is ready on {d}, our reference {n}.",
            "Please send us the draft bill of lading {n}.",
            "What do you charge by air for {q} kg to {c}?",
        ),
        (
            "ocean freight Ningbo - {c} is USD {p}/40HC, ETD {d}, free time 14 days at destination.",
            "Booking {n} is confirmed: closing date {d}, vessel as attached, please send the VGM.",
            "Draft B/L {n} attached, please confirm before {d} or amendment fees apply.",
            "The container of shipment {n} was loaded; ETA {c} {d}. Our freight invoice follows.",
            "The truck picks up {q} CBM at your factory on {d}; please prepare the packing list.",
        ),
    ),
    "zh": (
        ("请报宁波到 {c} 1x40HC 的海运费，{d} 备好货。", "请订舱 {q} 立方到 {c}，{d} 装柜，编号 {n}。", "请发提单 {n} 的确认件。"),
        (
            "宁波到 {c} 海运费 {p} 美元/40HC，{d} 开船，目的港免箱期 14 天。",
            "舱位 {n} 已确认，截关 {d}，请提供 VGM。",
            "提单 {n} 确认件见附件，请在 {d} 前回复，逾期改单收费。",
            "拖车 {d} 到贵司工厂装柜，请准备装箱单 {n}。",
        ),
    ),
}  # fmt: skip
NEWSLETTER = (
    "Our new collection is here: save {q} % until {d}.",
    "The market report of this week: prices for {g} went to USD {p}.",
    "Visit us at the fair in {c}, hall {n}. You receive this mail because you subscribed.",
)
PITCH = (
    "we can bring your website to the first page of all search engines for USD {p} a month.",
    "We are a leading manufacturer of packing machines and offer you a discount until {d}.",
    "Buy our list of {q} importers with e-mail addresses for only USD {p}.",
)
BANK = (
    "An incoming payment of USD {p} was credited to your account, reference {n}.",
    "Your letter of credit {n} was advised on {d}.",
    "The statement of your account of {d} is available.",
)
