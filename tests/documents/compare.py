"""Compares the text that Hone reads from PDFs with pdftotext's, and the processor time both take.

    cargo build --release -p hone-data --example extract
    python3 tests/documents/compare.py --fetch FOLDER        # once: manuals and papers from Debian packages
    python3 tests/documents/compare.py FOLDER [--extract target/release/examples/extract] [--list N]

gram is the F1 of the bags of runs of three characters, spaces left out: are the right letters there. word is the F1 of
the bags of words: are the gaps right. Before, both texts are folded alike (NFKC), leaders of dots and the bars of
Markdown tables are taken out, words parted at line ends are joined, and spaces between Chinese characters dropped. The
running headers and page numbers that Hone leaves out on purpose count against it. Needs poppler-utils, poppler-data.
"""

import argparse
import re
import resource
import subprocess
import sys
import unicodedata
from collections import Counter
from pathlib import Path

PACKAGES = [
    "debian-policy", "developers-reference", "debmake-doc", "installation-guide-amd64", "r-doc-pdf", "gnuplot-doc",
    "linuxcnc-doc-zh-cn", "texlive-publishers-doc",
]
# In two columns, or otherwise set as papers are.
PAPERS = [
    "IEEEconf.pdf", "JACoW_LaTeX_A4.pdf", "acmguide.pdf", "apssamp.pdf", "asmeconf-template.pdf", "elsdoc.pdf",
    "revtex4-1.pdf", "sample-acmtog.pdf", "sample-sigconf.pdf", "sample-sigplan.pdf", "sorsamp.pdf",
]
# Thousands of pages of the same kind as others.
LONG = ["refman.pdf", "fullrefman.pdf", "LinuxCNC_Documentation_zh_CN.pdf"]


def fetch(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for package in PACKAGES:
        subprocess.run(["apt-get", "download", "-q", package], cwd=folder, check=False)
    for package in folder.glob("*.deb"):
        subprocess.run(["dpkg", "-x", package.name, "unpacked"], cwd=folder, check=True)
    for packed in (folder / "unpacked").rglob("*.pdf.gz"):
        subprocess.run(["gunzip", "-f", str(packed)], check=True)
    chosen = folder / "chosen"
    chosen.mkdir(exist_ok=True)
    for path in (folder / "unpacked").rglob("*.pdf"):
        if path.name in LONG or ("texlive" in str(path) and path.name not in PAPERS):
            continue
        name = "-".join(path.parts[-2:]) if path.name.startswith("install") else path.name
        target = chosen / name
        if not target.exists():
            target.symlink_to(path.resolve())


def is_cjk(c: str) -> bool:
    return "\u2e80" <= c <= "\u9fff" or "\uac00" <= c <= "\ud7a3" or "\uf900" <= c <= "\ufaff" or "\uff00" <= c <= "\uffef"


def folded(text: str) -> str:
    text = unicodedata.normalize("NFKC", text).replace("\u00ad", "")
    text = re.sub(r"(\w)-\n\s*([a-z])", r"\1\2", text)
    text = re.sub(r"(?:\.\s?){5,}", " ", text)
    text = re.sub(r"[|]|---+|<br>", " ", text)
    return text


def grams(text: str) -> Counter:
    text = re.sub(r"\s+", "", text)
    return Counter(text[at : at + 3] for at in range(len(text) - 2))


def words(text: str) -> Counter:
    joined, out = text.split(), []
    for word in joined:
        if out and is_cjk(out[-1][-1]) and is_cjk(word[0]):
            out[-1] += word
        else:
            out.append(word)
    return Counter(out)


def f1(ours: Counter, theirs: Counter) -> tuple[float, float, float]:
    same = sum((ours & theirs).values())
    precision, recall = same / max(1, sum(ours.values())), same / max(1, sum(theirs.values()))
    return (2 * precision * recall / max(1e-9, precision + recall), precision, recall)


def run(command: list[str]) -> tuple[str, float]:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, timeout=600)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return done.stdout.decode("utf-8", "replace"), seconds


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("folder", type=Path)
    options.add_argument("--fetch", action="store_true")
    options.add_argument("--extract", default="target/release/examples/extract")
    options.add_argument("--list", type=int, default=12, help="how many of the least similar files to name")
    options.add_argument("--only", default="", help="names that hold this")
    chosen = options.parse_args()
    if chosen.fetch:
        return fetch(chosen.folder)
    rows = []
    for path in sorted((chosen.folder / "chosen").glob("*.pdf")):
        if chosen.only not in path.name:
            continue
        theirs, their_seconds = run(["pdftotext", "-q", str(path), "-"])
        ours, our_seconds = run([chosen.extract, str(path)])
        pages = theirs.count("\f")
        theirs, ours = folded(theirs.replace("\f", "\n")), folded(ours)
        if len(theirs) < 500:
            continue
        cjk = sum(map(is_cjk, theirs)) > 0.1 * len(theirs)
        kind = "papers" if path.name in PAPERS else "CJK" if cjk else "manuals"
        gram, word = f1(grams(ours), grams(theirs)), f1(words(ours), words(theirs))
        rows.append((kind, path.name, pages, gram, word, our_seconds, their_seconds))
        print(f"{path.name}: {gram[0]:.4f} {word[0]:.4f} {our_seconds:.2f} s / {their_seconds:.2f} s", file=sys.stderr)
    print("| Set | Files, pages | gram | word | CPU s Hone | CPU s pdftotext | times |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for kind in ["manuals", "CJK", "papers"]:
        of = [row for row in rows if row[0] == kind]
        if of:
            mean = lambda at: sum(row[at][0] for row in of) / len(of)
            ours, theirs = sum(row[5] for row in of), sum(row[6] for row in of)
            pages = sum(row[2] for row in of)
            print(f"| {kind} | {len(of)}, {pages} | {mean(3):.4f} | {mean(4):.4f} | {ours:.1f} | {theirs:.1f} | {ours / theirs:.1f} |")
    print("\nLeast similar (gram F1, precision, recall; word F1; CPU seconds):")
    for kind, name, pages, gram, word, ours, theirs in sorted(rows, key=lambda row: row[3][0])[: chosen.list]:
        print(f"  {name} ({kind}, {pages} pages): {gram[0]:.4f} {gram[1]:.4f} {gram[2]:.4f}; {word[0]:.4f}; {ours:.2f}, {theirs:.2f}")


if __name__ == "__main__":
    main()
