# SPDX-License-Identifier: GPL-3.0-or-later
"""What names of companies are made of beside the name: legal forms that cleanco lacks, trade words, places.  Data only.

Every word stands as `crm_sync.duplicates.name_keys` folds it: lower case, without accents, dots and slashes; Chinese simplified.
"""

# cleanco takes these for legal forms; at the end of a buyer's name they are a country, a place or half a name.
NO_LEGAL_FORMS = frozenset(
    {"uk", "at", "ok", "ps", "sp", "ad", "et", "da", "ba", "fa", "ec", "gp", "bl", "kf", "ud", "al"}
)

# Behind the name, beside those of cleanco.
LEGAL_ENDINGS = frozenset(
    {
        "sa de cv", "s de rl de cv", "sapi de cv", "sas de cv", "sociedad anonima", "cia ltda", "e hijos", "eireli", "epp", "mei",
        "sarlau", "sasau", "spzoo", "sp zoo", "spolka akcyjna", "doo beograd", "as", "ltd sti", "ltd sirketi",
        "anonim sirketi", "san ve tic ltd sti", "san tic ltd sti", "ve tic as", "sti", "tic ltd sti", "dis tic ltd sti",
        "fzco", "fze", "fzc", "fz llc", "fzllc", "dmcc", "wll", "bsc", "spc", "pjsc", "qsc", "ksc", "llc opc", "est",
        "pvt", "pvt ltd", "private limited", "opc", "pty", "proprietary limited", "cc", "rf", "plc", "sdn", "tbk",
        "jsc", "cjsc", "ojsc", "co jsc", "joint stock company", "jv", "tnhh", "cong ty tnhh", "co ltd", "company limited",
        "kabushiki kaisha", "kabushiki gaisha", "kk", "yk", "gk", "godo kaisha", "co ltd hk", "hk ltd", "hong kong ltd",
        "gmbh and co kg", "gmbh co kg", "mbh", "ug", "ug haftungsbeschrankt", "ek", "gbr", "ohg", "kgaa", "se", "holding", "holdings",
        "incorporation", "llp", "lc", "pc", "corporation limited", "spa", "srls", "slu", "slp", "sociedad limitada", "sas", "sasu", "snc", "cvba", "bvba", "srl bv",
        "ооо", "оао", "зао", "пао", "ао", "ип", "тоо", "тов", "тдв", "прат", "пат", "чп", "чтуп", "оод", "еоод", "ад", "еад", "доо", "ад београд",
        "αε", "επε", "οε", "εε", "ικε", "μικε", "αβεε", "μονοπροσωπη",
        "شمم", "ذمم", "شركه ذات مسووليه محدوده", "المحدوده", "שמ", "בעמ", "주", "株", "有",
    }
)  # fmt: skip

# Before the name.
LEGAL_BEGINNINGS = frozenset(
    {
        "pt", "cv", "ud", "cong ty tnhh", "cong ty co phan", "cong ty", "ooo", "oao", "zao", "pao", "ao", "too", "ip", "tov",
        "ооо", "оао", "зао", "пао", "ао", "ип", "тоо", "тов", "прат", "чп", "оод", "the", "ms", "m s", "messrs", "msrs", "firma", "fa",
        "шп", "شركه", "مؤسسه", "موسسه", "sociedad", "societe", "ste", "sarl", "eurl", "etablissements", "ets", "kabushiki kaisha", "주", "株", "有",
    }
)  # fmt: skip

# In Chinese, Japanese and Korean nothing parts the words; longest first where one ends with another.
HAN_LEGAL_ENDINGS = (
    "股份有限责任公司", "有限责任公司", "股份有限公司", "集团有限公司", "集团股份有限公司", "控股有限公司", "有限公司分公司", "个体工商户",
    "有限公司", "股份公司", "集团公司", "总公司", "分公司", "公司", "集团", "股份", "控股", "企业", "商行",
    "株式会社", "株式會社", "有限会社", "合同会社", "주식회사", "유한회사", "(주)", "㈜",
)  # fmt: skip
HAN_LEGAL_BEGINNINGS = ("株式会社", "有限会社", "合同会社", "주식회사", "유한회사", "㈜")

# Said of so many companies that a name is hardly told by it.  Chinese -> as they translate it, for people who read this.
HAN_TRADE_WORDS = (
    "进出口贸易", "国际贸易", "对外贸易", "进出口", "外贸", "贸易", "商贸", "经贸", "工贸", "实业", "工业", "国际", "科技", "技术", "电子科技",
    "电子商务", "电子", "电器", "电气", "机械设备", "机械制造", "机械", "设备", "制造", "制品", "五金", "塑胶", "塑料", "塑业", "纺织", "服装",
    "服饰", "家具", "家居", "照明", "光电", "玩具", "礼品", "工艺品", "包装", "印刷", "化工", "新材料", "材料", "建材", "汽车配件", "配件",
    "食品", "医疗器械", "医疗", "用品", "日用品", "物流", "货运代理", "供应链管理", "供应链", "投资", "发展", "开发", "产业", "厂",
)  # fmt: skip
TRADE_WORDS = frozenset(
    {
        "trade", "trading", "traders", "commerce", "commercial", "import", "imports", "importer", "importers", "export", "exports",
        "exporter", "exporters", "impex", "intl", "international", "global", "worldwide", "overseas", "group", "groupe", "gruppe", "grupo", "gruppo",
        "industry", "industries", "industrial", "industria", "industrias", "enterprise", "enterprises", "business", "solutions",
        "technology", "technologies", "tech", "technical", "electronic", "electronics", "electric", "electrical", "elektronik", "machinery", "machine", "machines",
        "maquinaria", "equipment", "equipments", "manufacturing", "manufacturer", "manufacturers", "factory", "mfg", "products", "product", "hardware",
        "plastic", "plastics", "textile", "textiles", "garment", "garments", "apparel", "clothing", "furniture", "lighting", "toys",
        "packaging", "printing", "chemical", "chemicals", "material", "materials", "supply", "supplies", "supplier", "suppliers", "logistics",
        "shipping", "freight", "services", "service", "development", "investment", "general", "wholesale", "wholesaler", "wholesalers", "retail", "store", "stores", "shop", "online", "brands", "tools",
        "distribution", "distributor", "distributors", "suministros", "centre", "center", "comercio", "comercial", "importadora",
        "importaciones", "exportadora", "exportaciones", "distribuidora", "handel", "handels", "handelsgesellschaft", "vertrieb", "ticaret", "dis", "sanayi", "san",
        "tic", "ve", "and", "of", "the", "for", "y", "e", "und", "et", "de", "del", "do", "da", "van", "i", "и", "торговый", "дом", "торговля", "импорт",
        "экспорт", "группа", "компания", "завод", "фабрика", "للتجاره", "التجاره", "العامه", "للاستيراد", "والتصدير",
    }
)  # fmt: skip

# Trade words that say nothing of the trade: two names that differ by them alone are not of two trades.
LINKING_WORDS = frozenset(
    {
        "and", "of", "the", "for", "y", "e", "und", "et", "de", "del", "do", "da", "van", "i", "и", "ve", "group", "groupe", "gruppe",
        "grupo", "gruppo", "international", "intl", "global", "worldwide", "enterprise", "enterprises", "business", "general",
        "company", "компания", "группа",
    }
)  # fmt: skip

# A name that is only a word of these (or of the lists above) is nobody's: neither a key nor a question that is answered.
EMPTY_NAMES = frozenset(
    {
        "email", "mail", "info", "sales", "contact", "office", "admin", "webmaster", "company", "company name", "your company",
        "customer", "client", "buyer", "unknown", "none", "na", "test", "n a", "noreply", "support", "marketing", "purchase", "purchasing",
        "公司", "客户", "未知", "无", "测试", "采购", "销售",
    }
)  # fmt: skip

# Where many exporters and buyers sit: "Shenzhen Huarui" and "Huarui" may be one.  In pinyin or English.
PLACES = frozenset(
    {
        "shenzhen", "guangzhou", "dongguan", "foshan", "zhongshan", "zhuhai", "huizhou", "jiangmen", "shantou", "guangdong", "shanghai", "beijing",
        "tianjin", "chongqing", "ningbo", "hangzhou", "wenzhou", "yiwu", "jinhua", "taizhou", "shaoxing", "jiaxing", "huzhou", "zhejiang",
        "suzhou", "wuxi", "changzhou", "nanjing", "nantong", "yangzhou", "xuzhou", "jiangsu", "qingdao", "jinan", "yantai", "weifang", "linyi",
        "shandong", "xiamen", "fuzhou", "quanzhou", "zhangzhou", "putian", "fujian", "wuhan", "hubei", "changsha", "hunan", "nanchang", "jiangxi",
        "hefei", "anhui", "zhengzhou", "henan", "xian", "shaanxi", "chengdu", "sichuan", "dalian", "shenyang", "liaoning", "harbin",
        "shijiazhuang", "hebei", "tangshan", "hongkong", "hk", "taiwan", "taipei", "china", "zhongguo", "prc", "xianggang", "aomen", "macau",
        "usa", "us", "america", "uk", "germany", "deutschland", "france", "italy", "italia", "spain", "espana", "poland", "polska", "turkey", "turkiye",
        "india", "mexico", "brasil", "brazil", "dubai", "uae", "vietnam", "thailand", "indonesia", "malaysia", "japan", "korea", "russia",
        "canada", "australia", "europe", "asia", "africa", "london", "istanbul", "mumbai", "delhi", "singapore",
    }
)  # fmt: skip

# Characters that read otherwise in names than alone.
READINGS = {
    "长": "chang", "重庆": "chong qing", "厦门": "xia men", "长沙": "chang sha", "长春": "chang chun", "长安": "chang an", "长江": "chang jiang", "长城": "chang cheng",
    "长兴": "chang xing", "长虹": "chang hong", "东莞": "dong guan", "六安": "lu an", "台州": "tai zhou", "蚌埠": "beng bu", "乐清": "yue qing",
    "番禺": "pan yu", "朝阳": "chao yang", "银行": "yin hang", "商行": "shang hang", "成都": "cheng du", "都匀": "du yun", "大厦": "da sha", "西藏": "xi zang",
    "乐山": "le shan", "会计": "kuai ji", "曾": "zeng", "单县": "shan xian", "解放": "jie fang", "调和": "tiao he", "传奇": "chuan qi", "音乐": "yin yue",
    "重工": "zhong gong", "行业": "hang ye", "兴旺": "xing wang", "长荣": "chang rong", "长青": "chang qing", "长远": "chang yuan", "永长": "yong chang",
}  # fmt: skip
