# SPDX-License-Identifier: GPL-3.0-or-later
"""What a new installation starts with, as `versions/pipeline.py` writes it: stages, choices, weights, points.

All of it is data that people change afterwards: what is changed here reaches nobody who has it already.
"""

from typing import Final

# (subject, key, English, Chinese), stages as (key, English, Chinese, kind, probability).
PIPELINES: Final = (
    (
        ("customer", "customer", "Customers", "客户阶段"),
        (
            ("first-contact", "First contact", "初步接触", "open", 10),
            ("quoting", "Quoting", "报价中", "open", 30),
            ("sample", "Sample confirmation", "样品确认", "open", 50),
            ("negotiating", "Negotiating", "谈判中", "open", 70),
            ("won", "Won", "已成交", "won", 100),
            ("dormant", "Dormant", "休眠客户", "dormant", 0),
        ),
    ),
    (
        ("opportunity", "opportunity", "Opportunities", "商机阶段"),
        (
            ("first-contact", "First contact", "初步接触", "open", 10),
            ("intent", "Clear intent", "意向明确", "open", 30),
            ("quoting", "Quoting", "报价中", "open", 50),
            ("sample", "Sample confirmation", "样品确认", "open", 60),
            ("negotiating", "Negotiating", "谈判中", "open", 80),
            ("won", "Won", "赢单", "won", 100),
            ("lost", "Lost", "输单", "lost", 0),
        ),
    ),
)

# (list, subject, several may be chosen, English, Chinese), choices as (key, English, Chinese).
CHOICES: Final = (
    (
        ("customer-type", "customer", False, "Customer type", "客户类型"),
        (
            ("importer", "Importer", "进口商"),
            ("distributor", "Distributor", "经销商"),
            ("wholesaler", "Wholesaler", "批发商"),
            ("retailer", "Retailer", "零售商"),
            ("brand", "Brand owner", "品牌商"),
            ("manufacturer", "Manufacturer", "生产商"),
            ("trading", "Trading company", "贸易公司"),
            ("e-commerce", "E-commerce seller", "电商卖家"),
            ("agent", "Buying agent", "采购代理"),
            ("end-user", "End user", "终端用户"),
            ("project", "Contractor", "工程商"),
        ),
    ),
    (
        ("tag", "customer", True, "Tags", "标签"),
        (
            ("key-account", "Key account", "重点客户"),
            ("price-sensitive", "Price sensitive", "价格敏感"),
            ("quality-first", "Quality first", "注重质量"),
            ("oem", "OEM", "贴牌"),
            ("exhibition", "Met at a fair", "展会结识"),
            ("slow-payer", "Slow payer", "付款慢"),
            ("credit-risk", "Credit risk", "信用风险"),
        ),
    ),
    (
        ("size", "customer", False, "Company size", "公司规模"),
        (
            ("1-10", "1 to 10 people", "1–10人"),
            ("11-50", "11 to 50 people", "11–50人"),
            ("51-200", "51 to 200 people", "51–200人"),
            ("201-1000", "201 to 1,000 people", "201–1000人"),
            ("1000-plus", "More than 1,000 people", "1000人以上"),
        ),
    ),
    (
        ("star", "customer", False, "Stars", "星级"),
        (
            ("1", "One star", "一星"),
            ("2", "Two stars", "二星"),
            ("3", "Three stars", "三星"),
            ("4", "Four stars", "四星"),
            ("5", "Five stars", "五星"),
        ),
    ),
    (
        ("intent", "customer", False, "Purchase intent", "采购意向"),
        (
            ("high", "High", "高"),
            ("medium", "Medium", "中"),
            ("low", "Low", "低"),
            ("none", "None now", "暂无意向"),
        ),
    ),
    (
        ("volume", "customer", False, "Yearly purchase volume (USD)", "年采购额(美元)"),
        (
            ("under-50k", "Under 50,000", "5万以下"),
            ("50k-200k", "50,000 to 200,000", "5万–20万"),
            ("200k-1m", "200,000 to 1 million", "20万–100万"),
            ("1m-5m", "1 to 5 million", "100万–500万"),
            ("over-5m", "Over 5 million", "500万以上"),
        ),
    ),
    (
        ("source", "customer", False, "Source", "客户来源"),
        (
            ("website", "Own website", "公司网站"),
            ("b2b-platform", "B2B platform", "B2B平台"),
            ("fair", "Trade fair", "展会"),
            ("referral", "Referral", "客户推荐"),
            ("search", "Search engine", "搜索引擎"),
            ("social", "Social media", "社交媒体"),
            ("cold-mail", "Outreach by mail", "开发信"),
            ("customs-data", "Customs data", "海关数据"),
            ("visit", "Visit", "拜访"),
            ("other", "Other", "其他"),
        ),
    ),
    (
        ("industry", "customer", False, "Industry", "行业"),
        (
            ("machinery", "Machinery", "机械设备"),
            ("electronics", "Electronics", "电子电气"),
            ("lighting", "Lighting", "灯具照明"),
            ("automotive", "Automotive", "汽车及配件"),
            ("construction", "Construction and building materials", "建筑建材"),
            ("furniture", "Furniture", "家具"),
            ("textile", "Textiles and clothing", "纺织服装"),
            ("chemicals", "Chemicals and plastics", "化工塑料"),
            ("packaging", "Packaging", "包装"),
            ("food", "Food and agriculture", "食品农业"),
            ("medical", "Medical and health", "医疗健康"),
            ("energy", "Energy", "能源"),
            ("consumer-goods", "Consumer goods", "日用消费品"),
            ("other", "Other", "其他"),
        ),
    ),
    (
        ("timezone", "customer", False, "Time zone", "时区"),
        tuple(
            (f"utc{sign}{hours:02d}", f"UTC{sign}{hours:02d}:00", f"UTC{sign}{hours:02d}:00")
            for sign, several in (("-", range(11, 0, -1)), ("+", range(13)))
            for hours in several
        ),
    ),
    (
        ("job-level", "contact", False, "Job level", "职级"),
        (
            ("owner", "Owner", "老板"),
            ("executive", "Executive", "高管"),
            ("manager", "Manager", "经理"),
            ("staff", "Staff", "职员"),
            ("assistant", "Assistant", "助理"),
        ),
    ),
    (
        ("decision-role", "contact", False, "Part in decisions", "决策角色"),
        (
            ("decider", "Decider", "决策者"),
            ("influencer", "Influencer", "影响者"),
            ("user", "User", "使用者"),
        ),
    ),
    (
        ("lost-reason", "opportunity", False, "Why it was lost", "输单原因"),
        (
            ("price", "Price too high", "价格过高"),
            ("competitor", "A competitor won", "竞争对手"),
            ("quality", "Quality or specification", "质量或规格不符"),
            ("delivery", "Delivery time", "交货期"),
            ("payment", "Terms of payment", "付款条件"),
            ("minimum", "Minimum order quantity", "起订量"),
            ("certificate", "Certificate missing", "缺少认证"),
            ("project-cancelled", "Project cancelled", "项目取消"),
            ("no-answer", "No answer any more", "失去联系"),
            ("own-decision", "We declined", "我方放弃"),
            ("other", "Other", "其他"),
        ),
    ),
)

# How much each filled field counts (crm_sync.pipeline.completeness names them).
WEIGHTS: Final = (
    ("name", 10),
    ("country", 10),
    ("domain", 5),
    ("website", 5),
    ("address", 5),
    ("contact", 10),
    ("contact-name", 5),
    ("phone", 10),
    ("decision-role", 10),
    ("source", 5),
    ("industry", 10),
    ("customer-type", 10),
    ("size", 5),
    ("volume", 5),
    ("intent", 5),
    ("timezone", 0),
    ("star", 0),
)

# (fact, value, points): of the values of a number, the highest one reached counts (crm_sync.pipeline.grading).
POINTS: Final = (
    ("orders", "1", 25),
    ("orders", "3", 40),
    ("deals-won", "1", 20),
    ("inquiries", "1", 5),
    ("inquiries", "3", 10),
    ("replies", "1", 5),
    ("replies", "5", 10),
    ("samples", "1", 5),
    ("volume", "200k-1m", 10),
    ("volume", "1m-5m", 20),
    ("volume", "over-5m", 30),
    ("size", "201-1000", 5),
    ("size", "1000-plus", 10),
    ("intent", "high", 10),
    ("intent", "medium", 5),
    ("star", "4", 5),
    ("star", "5", 10),
    ("completeness", "60", 5),
)
BANDS: Final = (("A", 60), ("B", 35), ("C", 15), ("D", 0))


def _any_of(field: str, *words: str) -> dict[str, object]:
    return {"type": "condition", "field": field, "op": "contains_any", "value": list(words)}


def _is(field: str, value: str) -> dict[str, object]:
    return {"type": "condition", "field": field, "op": "is", "value": value}


def _all(*items: object) -> dict[str, object]:
    return {"type": "group", "mode": "all", "items": list(items)}


_QUOTE_FILES = (
    "quot",
    "offer",
    "proforma",
    "pricelist",
    "price list",
    "cotiza",
    "angebot",
    "devis",
    "报价",
    "形式发票",
)
_QUOTE_SENT = _all(
    _is("direction", "outbound"), _is("is_automatic", "false"), _any_of("attachment_name", *_QUOTE_FILES)
)
_SAMPLE = _all(_is("direction", "inbound"), _is("is_automatic", "false"), _is("category", "sample"))
_ORDER = _all(_is("direction", "inbound"), _is("is_automatic", "false"), _is("category", "order"))
_INQUIRY = _all(_is("direction", "inbound"), _is("is_automatic", "false"), _is("category", "inquiry"))

# (id, what it says, condition, pipeline, stage), in the order in which they are tried.
STAGE_RULES: Final = (
    ("order-received", "An order came", _ORDER, "customer", "won"),
    ("sample-wanted", "A sample was asked for", _SAMPLE, "customer", "sample"),
    ("quote-sent", "A quote was sent", _QUOTE_SENT, "customer", "quoting"),
    ("inquiry-received", "An inquiry came", _INQUIRY, "customer", "first-contact"),
    ("order-received-deal", "An order came", _ORDER, "opportunity", "negotiating"),
    ("sample-wanted-deal", "A sample was asked for", _SAMPLE, "opportunity", "sample"),
    ("quote-sent-deal", "A quote was sent", _QUOTE_SENT, "opportunity", "quoting"),
)
