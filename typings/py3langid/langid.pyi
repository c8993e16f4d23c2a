from typing import Any

class LanguageIdentifier:
    nb_classes: list[str]
    nb_pc: Any
    nb_ptc: Any
    tk_nextmove: Any
    tk_output: Any
    tk_row: Any
    @classmethod
    def from_model_file(cls, model_file: str, *, norm_probs: bool = ...) -> LanguageIdentifier: ...
    def set_languages(self, langs: list[str] | None = ...) -> None: ...
    def classify(self, text: str) -> tuple[str, float]: ...
