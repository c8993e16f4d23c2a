# SPDX-License-Identifier: GPL-3.0-or-later
"""Where parties live: how people and companies are called there, their phones, domains and languages.  Data only."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """One country.  `phone` and `mobile` are E.164 patterns, # is a digit; `forms` are legal forms, `{}` is the name."""

    country: str
    language: str
    given: tuple[str, ...]
    family: tuple[str, ...]
    stems: tuple[str, ...]
    trades: tuple[str, ...]
    forms: tuple[str, ...]
    suffixes: tuple[str, ...]
    phone: str
    mobile: str
    free_mail: tuple[str, ...]
    cities: tuple[str, ...]
    weight: int = 1


PLACES: tuple[Place, ...] = (
    Place(
        "DE", "de",
        ("Jürgen", "Sabine", "Thomas", "Katrin", "Uwe", "Anja", "Stefan", "Heike", "Lars", "Birgit"),
        ("Müller", "Schröder", "Behrens", "Kühn", "Lorenz", "Petersen", "Vogt", "Hartwig", "Böttcher", "Engel"),
        ("Nord", "Elb", "Hanse", "Kran", "Berg", "Stein", "Weser", "Falk", "Ritter", "Linden", "Tann", "Brück"),
        ("Handel", "Technik", "Werkzeug", "Import", "Bau", "Licht", "Stahl", "Möbel"),
        ("{} GmbH", "{} GmbH & Co. KG", "{} AG", "{} e.K."), ("de", "com", "eu"),
        "+4940#######", "+49171#######", ("gmx.de", "web.de", "t-online.de"), ("Hamburg", "Bremen", "Kassel"), 3,
    ),
    Place(
        "US", "en",
        ("John", "Mary", "Brian", "Linda", "Kevin", "Susan", "Greg", "Nancy", "Todd", "Karen"),
        ("Walker", "Harris", "Baker", "Coleman", "Hughes", "Bryant", "Foster", "Griffin", "Hayes", "Perry"),
        ("Pine", "Maple", "Summit", "Lake", "Iron", "Blue", "Granite", "Harbor", "Prairie", "Eagle", "Cedar", "Union"),
        ("Supply", "Hardware", "Imports", "Tools", "Lighting", "Industries", "Brands", "Wholesale"),
        ("{} Inc.", "{} LLC", "{} Corp."), ("com", "net", "us"),
        "+1212555####", "+1646555####", ("gmail.com", "yahoo.com", "aol.com", "outlook.com"),
        ("New York", "Dallas", "Tampa"), 4,
    ),
    Place(
        "GB", "en",
        ("Oliver", "Emma", "Harry", "Charlotte", "Simon", "Fiona", "Graham", "Helen", "Nigel", "Tracy"),
        ("Whitfield", "Barnes", "Clarke", "Dawson", "Fletcher", "Hargreaves", "Lawson", "Norris", "Pryce", "Sutton"),
        ("Thames", "Kings", "Albion", "Castle", "Brook", "Moor", "Oak", "Severn", "Crown", "Raven", "Ash", "Heath"),
        ("Trading", "Imports", "Supplies", "Fixings", "Homeware", "Electrical", "Distribution"),
        ("{} Ltd", "{} Limited", "{} plc"), ("co.uk", "com", "uk"),
        "+44207#######", "+447700######", ("hotmail.co.uk", "gmail.com", "btinternet.com"), ("London", "Leeds", "Hull"), 2,
    ),
    Place(
        "ES", "es",
        ("José", "María", "Antonio", "Carmen", "Luis", "Ana", "Miguel", "Lucía", "Javier", "Marta"),
        ("García", "Fernández", "Molina", "Ortega", "Navarro", "Iglesias", "Ramos", "Vidal", "Serrano", "Cano"),
        ("Sol", "Mar", "Costa", "Río", "Sierra", "Alba", "Luna", "Monte", "Norte", "Vega", "Campo", "Puerto"),
        ("Importaciones", "Comercial", "Suministros", "Ferretería", "Iluminación", "Industrias"),
        ("{} S.L.", "{} S.A.", "{} SLU"), ("es", "com"),
        "+3491#######", "+346########", ("gmail.com", "hotmail.es", "yahoo.es"), ("Madrid", "Valencia", "Bilbao"), 2,
    ),
    Place(
        "MX", "es",
        ("Jorge", "Guadalupe", "Ricardo", "Verónica", "Héctor", "Patricia", "Raúl", "Leticia"),
        ("Hernández", "Ramírez", "Castillo", "Guzmán", "Salazar", "Rojas", "Aguilar", "Estrada"),
        ("Azteca", "Sur", "Valle", "Oro", "Jalisco", "Pacífico", "Centro", "Águila", "Real", "Nopal", "Cobre"),
        ("Comercializadora", "Distribuidora", "Importadora", "Herramientas", "Grupo"),
        ("{} S.A. de C.V.", "{} S. de R.L."), ("com.mx", "mx", "com"),
        "+5255########", "+5255########", ("gmail.com", "hotmail.com", "prodigy.net.mx"), ("Guadalajara", "Puebla"), 2,
    ),
    Place(
        "RU", "ru",
        ("Иван", "Ольга", "Сергей", "Наталья", "Дмитрий", "Елена", "Павел", "Ирина"),
        ("Соколов", "Кузнецов", "Морозов", "Волков", "Лебедев", "Козлов", "Орлов", "Зайцев"),
        ("Север", "Урал", "Волга", "Восток", "Нева", "Байкал", "Сибирь", "Дон", "Полюс", "Вектор"),
        ("Торг", "Импорт", "Снаб", "Свет", "Мебель", "Инструмент", "Строй"),
        ("ООО «{}»", "ЗАО «{}»", "АО «{}»"), ("ru", "com"),
        "+7495#######", "+7916#######", ("mail.ru", "yandex.ru", "bk.ru"), ("Москва", "Пермь"), 2,
    ),
    Place(
        "AE", "ar",
        ("أحمد", "محمد", "فاطمة", "خالد", "مريم", "يوسف", "سعيد", "ليلى"),
        ("المنصوري", "الهاشمي", "النعيمي", "السويدي", "الفلاسي", "الكعبي"),
        ("النور", "الخليج", "الواحة", "الصقر", "البحر", "النجم", "الأمل", "الريان"),
        ("للتجارة", "للاستيراد", "للمعدات", "للإنارة"),
        ("شركة {} ذ.م.م", "مؤسسة {}"), ("ae", "com"),
        "+9714#######", "+97150#######", ("gmail.com", "hotmail.com", "emirates.net.ae"), ("دبي", "الشارقة"), 1,
    ),
    Place(
        "SA", "en",
        ("Abdullah", "Faisal", "Sultan", "Nasser", "Reem", "Mohammed", "Omar", "Huda"),
        ("Al-Otaibi", "Al-Harbi", "Al-Qahtani", "Al-Ghamdi", "Bin Saleh", "Al-Shehri"),
        ("Al Noor", "Najd", "Al Waha", "Red Sea", "Al Safa", "Hijaz", "Al Faris", "Desert Star"),
        ("Trading Est.", "General Trading", "Contracting", "Building Materials"),
        ("{} Co.", "{} LLC", "{}"), ("com.sa", "com", "sa"),
        "+96611#######", "+96655#######", ("gmail.com", "yahoo.com", "hotmail.com"), ("Riyadh", "Jeddah"), 2,
    ),
    Place(
        "TW", "zh",
        ("志明", "淑芬", "建宏", "雅婷", "俊傑", "怡君", "國華", "美玲"),
        ("陳", "林", "黃", "張", "李", "王", "吳", "劉"),
        ("宏遠", "永豐", "大同", "金鼎", "瑞祥", "海鷗", "長青", "東昇", "華盛", "百川"),
        ("貿易", "實業", "五金", "照明", "國際"),
        ("{}有限公司", "{}股份有限公司", "{}企業有限公司"), ("com.tw", "tw", "com"),
        "+8862########", "+886912######", ("gmail.com", "yahoo.com.tw", "hinet.net"), ("台北", "高雄"), 1,
    ),
    Place(
        "CN", "zh",
        ("伟", "芳", "磊", "静", "强", "丽娜", "建国", "晓明"),
        ("王", "李", "张", "刘", "陈", "杨", "赵", "周"),
        ("鸿达", "天成", "盛世", "永恒", "中联", "恒通", "金桥", "博远", "顺发", "安泰"),
        ("进出口", "贸易", "国际贸易", "实业", "供应链"),
        ("{}有限公司", "上海{}有限公司", "深圳市{}有限公司", "义乌市{}有限公司"), ("cn", "com.cn", "com"),
        "+8621########", "+86138########", ("qq.com", "163.com", "126.com", "foxmail.com"), ("上海", "深圳", "义乌"), 2,
    ),
    Place(
        "FR", "fr",
        ("Pierre", "Claire", "Julien", "Sophie", "Nicolas", "Isabelle", "Alain", "Camille"),
        ("Lefèvre", "Moreau", "Girard", "Fontaine", "Chevalier", "Dubois", "Marchand", "Renaud"),
        ("Loire", "Soleil", "Atlas", "Lys", "Mistral", "Rhône", "Horizon", "Étoile", "Vallée"),
        ("Distribution", "Importation", "Outillage", "Éclairage", "Négoce"),
        ("{} SARL", "{} SAS", "Société {}"), ("fr", "com"),
        "+331########", "+336########", ("orange.fr", "gmail.com", "free.fr"), ("Lyon", "Nantes"), 1,
    ),
    Place(
        "BR", "pt",
        ("João", "Fernanda", "Carlos", "Juliana", "Paulo", "Camila", "Marcelo", "Renata"),
        ("Silva", "Souza", "Oliveira", "Barbosa", "Teixeira", "Moura", "Cardoso", "Nunes"),
        ("Brasil", "Verde", "Paulista", "Amazônia", "Ipê", "Atlântico", "Serra", "Jatobá"),
        ("Importadora", "Comércio", "Distribuidora", "Ferramentas"),
        ("{} Ltda.", "{} S.A.", "{} ME"), ("com.br", "com"),
        "+5511########", "+55119########", ("uol.com.br", "gmail.com", "bol.com.br"), ("São Paulo", "Curitiba"), 1,
    ),
    Place(
        "IN", "en",
        ("Rajesh", "Priya", "Anil", "Sunita", "Vikram", "Deepa", "Sanjay", "Meena"),
        ("Sharma", "Patel", "Gupta", "Reddy", "Iyer", "Mehta", "Joshi", "Nair"),
        ("Ganga", "Shakti", "Lotus", "Surya", "Bharat", "Royal", "Om", "Deccan", "Indus"),
        ("Exim", "Traders", "Enterprises", "Impex", "Overseas"),
        ("{} Pvt. Ltd.", "M/s {}", "{} Private Limited"), ("in", "co.in", "com"),
        "+9122########", "+9198########", ("gmail.com", "rediffmail.com", "yahoo.co.in"), ("Mumbai", "Chennai"), 2,
    ),
    Place(
        "KE", "en",
        ("James", "Grace", "Peter", "Mercy", "David", "Faith", "Samuel", "Esther"),
        ("Mwangi", "Otieno", "Kamau", "Wanjiru", "Kiptoo", "Achieng", "Njoroge", "Mutua"),
        ("Savanna", "Kilima", "Rift", "Twiga", "Simba", "Uhuru", "Mara", "Baobab"),
        ("Agencies", "Hardware", "Trading", "Investments"),
        ("{} Ltd", "{} Company Limited", "{} Enterprises"), ("co.ke", "com"),
        "+25420#######", "+25472#######", ("gmail.com", "yahoo.com", "wananchi.com"), ("Nairobi", "Mombasa"), 1,
    ),
)  # fmt: skip
LATIN = {
    "ü": "ue", "ö": "oe", "ä": "ae", "é": "e", "è": "e", "í": "i", "ó": "o", "ú": "u", "á": "a", "ñ": "n", "ã": "a",
    "ô": "o", "ê": "e", "ç": "c", "À": "a", "É": "e", "Á": "a", "Í": "i", "Ó": "o", "â": "a", "õ": "o", "ß": "ss",
}  # fmt: skip
SYLLABLES = (
    "ka", "lo", "mi", "ra", "ven", "tor", "bel", "zu", "ni", "sol", "pra", "dex", "fi", "gar", "hel", "jo", "kim",
    "lan", "mor", "nex", "ol", "pe", "qui", "ros", "sa", "tam", "ur", "vi", "wel", "yar", "zen", "bri", "cla", "dru",
)  # fmt: skip
FREIGHT = ("Logistics", "Shipping", "Freight", "Forwarding", "Lines Agency")
SUPPLY = ("Plastics", "Packaging", "Metals", "Castings", "Chemicals", "Carton", "Components")
