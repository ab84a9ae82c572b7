"""Makes `handbook.pdf` and `handbook.docx` from `chapters/*.md`.

The chapters are the source; run this after changing one and commit the results:

    python3 -m venv /tmp/samples
    /tmp/samples/bin/pip install reportlab==5.1.0 python-docx==1.2.0
    sudo apt-get install fonts-liberation fonts-droid-fallback
    /tmp/samples/bin/python crates/cli/samples/make.py

Only the Markdown that the chapters use is understood: `#`/`##` headings, paragraphs, `-` and `1.` lists, pipe tables,
`**strong**` and `*emphasis*`. Both files carry a fixed date; the PDF is the same byte for byte when made twice.
"""

import datetime
import re
from pathlib import Path
from xml.sax.saxutils import escape

from docx import Document
from docx.oxml.ns import qn
from docx.shared import Cm, Pt
from reportlab import rl_config
from reportlab.lib import colors
from reportlab.lib.enums import TA_CENTER
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import cm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import (
    BaseDocTemplate, CondPageBreak, Frame, ListFlowable, ListItem, NextPageTemplate, PageBreak, PageTemplate, Paragraph, Spacer, Table,
    TableStyle,
)
from reportlab.platypus.tableofcontents import TableOfContents

HERE = Path(__file__).parent
TITLE = "Handbook of the Orrin Sound Ferry Cooperative"
EDITION = "Edition of 1 February 2026"
FONTS = Path("/usr/share/fonts/truetype")
CJK = re.compile(r"[\u2e80-\u9fff\uff00-\uffef\u3000-\u303f]+")
rl_config.invariant = 1


def blocks(text):
    """Yields `(kind, content)`: heading1, heading2, paragraph, bullets, numbers, table (list of rows of cells)."""
    for part in re.split(r"\n\s*\n", text.strip()):
        lines = part.split("\n")
        if part.startswith("#"):
            level = len(part) - len(part.lstrip("#"))
            yield f"heading{level}", part.lstrip("# ")
        elif lines[0].startswith("|"):
            rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]
            yield "table", [rows[0]] + rows[2:]
        elif re.match(r"- ", lines[0]):
            yield "bullets", [line[2:] for line in lines]
        elif re.match(r"\d+\. ", lines[0]):
            yield "numbers", [line.split(". ", 1)[1] for line in lines]
        else:
            # A list may follow its introduction without an empty line between them.
            cut = next((i for i, line in enumerate(lines) if re.match(r"(- |\d+\. )", line)), len(lines))
            yield "paragraph", " ".join(lines[:cut])
            if cut < len(lines):
                yield from blocks("\n".join(lines[cut:]))


def chapters():
    """The blocks of every chapter, in the order of the file names."""
    return [list(blocks(path.read_text(encoding="utf-8"))) for path in sorted((HERE / "chapters").glob("*.md"))]


# --- PDF -----------------------------------------------------------------------------------------------------------

def register_fonts():
    folder = FONTS / "liberation"
    for name, file in [("Text", "Regular"), ("Text-Bold", "Bold"), ("Text-Italic", "Italic")]:
        pdfmetrics.registerFont(TTFont(name, str(folder / f"LiberationSans-{file}.ttf")))
    pdfmetrics.registerFont(TTFont("Han", str(FONTS / "droid" / "DroidSansFallbackFull.ttf")))
    pdfmetrics.registerFontFamily("Text", normal="Text", bold="Text-Bold", italic="Text-Italic", boldItalic="Text-Bold")


def markup(text):
    """Markdown emphasis as reportlab's inline tags, Chinese runs in the Chinese font."""
    text = escape(text)
    text = re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", text)
    text = re.sub(r"\*(.+?)\*", r"<i>\1</i>", text)
    return CJK.sub(lambda run: f'<font name="Han">{run.group()}</font>', text)


class Handbook(BaseDocTemplate):
    """A cover, a table of contents and chapters with a running header and page numbers."""

    def __init__(self, path):
        super().__init__(str(path), pagesize=A4, title=TITLE, author="Orrin Sound Ferry Cooperative", subject=EDITION,
                         leftMargin=2.3 * cm, rightMargin=2.3 * cm, topMargin=2.5 * cm, bottomMargin=2.1 * cm)
        self.chapter = ""
        frame = Frame(self.leftMargin, self.bottomMargin, self.width, self.height, id="body")
        self.addPageTemplates([PageTemplate("cover", [frame]), PageTemplate("body", [frame], onPageEnd=self.furniture)])

    def furniture(self, canvas, _doc):
        canvas.saveState()
        canvas.setFillColor(colors.HexColor("#555555"))
        canvas.setFont("Text", 8.5)
        canvas.drawString(self.leftMargin, A4[1] - 1.6 * cm, TITLE)
        canvas.drawRightString(A4[0] - self.rightMargin, A4[1] - 1.6 * cm, EDITION)
        canvas.line(self.leftMargin, A4[1] - 1.8 * cm, A4[0] - self.rightMargin, A4[1] - 1.8 * cm)
        canvas.drawCentredString(A4[0] / 2, 1.3 * cm, str(canvas.getPageNumber()))
        canvas.restoreState()

    def afterFlowable(self, flowable):
        style = getattr(getattr(flowable, "style", None), "name", "")
        if style in ("heading1", "heading2"):
            level = int(style[-1]) - 1
            text = flowable.getPlainText()
            key = f"h{self.seq.nextf('heading')}"
            self.canv.bookmarkPage(key)
            self.canv.addOutlineEntry(text, key, level, closed=level == 0)
            if level == 0:
                self.notify("TOCEntry", (0, markup(text), self.page, key))


def styles(chinese):
    wrap = "CJK" if chinese else None
    base = ParagraphStyle("body", fontName="Text", fontSize=10, leading=14, spaceAfter=6, wordWrap=wrap)
    return {
        "paragraph": base,
        "item": ParagraphStyle("item", base, spaceAfter=3),
        "cell": ParagraphStyle("cell", base, fontSize=9.3, leading=12, spaceAfter=0),
        "head": ParagraphStyle("head", base, fontSize=9.3, leading=12, spaceAfter=0, fontName="Text-Bold"),
        "heading1": ParagraphStyle("heading1", base, fontName="Text-Bold", fontSize=18, leading=23, spaceBefore=16,
                                   spaceAfter=8, keepWithNext=1),
        "heading2": ParagraphStyle("heading2", base, fontName="Text-Bold", fontSize=13, leading=17, spaceBefore=9,
                                   spaceAfter=5, keepWithNext=1),
    }


def pdf_table(rows, style, width):
    columns = len(rows[0])
    weights = [max(6, min(34, max(len(row[i]) for row in rows))) for i in range(columns)]
    widths = [width * weight / sum(weights) for weight in weights]
    cells = [[Paragraph(markup(cell), style["head" if i == 0 else "cell"]) for cell in row] for i, row in enumerate(rows)]
    table = Table(cells, widths, repeatRows=1, spaceBefore=3, spaceAfter=10)
    table.setStyle(TableStyle([
        ("GRID", (0, 0), (-1, -1), 0.4, colors.HexColor("#aaaaaa")),
        ("BACKGROUND", (0, 0), (-1, 0), colors.HexColor("#e8eef2")),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("TOPPADDING", (0, 0), (-1, -1), 3), ("BOTTOMPADDING", (0, 0), (-1, -1), 4),
    ]))
    return table


def make_pdf(path):
    register_fonts()
    book = Handbook(path)
    plain = styles(False)
    cover = ParagraphStyle("cover", plain["paragraph"], alignment=TA_CENTER, fontSize=26, leading=34, fontName="Text-Bold")
    small = ParagraphStyle("small", plain["paragraph"], alignment=TA_CENTER, fontSize=12, leading=18)
    contents = TableOfContents(levelStyles=[ParagraphStyle("toc", plain["paragraph"], leading=19, spaceAfter=2)],
                               dotsMinLevel=0)
    story = [Spacer(1, 7 * cm), Paragraph(TITLE, cover), Spacer(1, cm), Paragraph(EDITION, small),
             Paragraph("Quay House, 3 Herring Street, Port Tressel", small), NextPageTemplate("body"), PageBreak(),
             Paragraph("Contents", ParagraphStyle("contents", plain["heading1"])), contents, PageBreak()]
    for chapter in chapters():
        chinese = bool(re.search(r"[\u4e00-\u9fff]", chapter[0][1]))
        style = styles(chinese)
        story.append(CondPageBreak(7 * cm))
        for kind, content in chapter:
            if kind == "table":
                story.append(pdf_table(content, style, book.width))
            elif kind in ("bullets", "numbers"):
                items = [ListItem(Paragraph(markup(item), style["item"]), leftIndent=18) for item in content]
                shape = {"bulletType": "1", "bulletFormat": "%s."} if kind == "numbers" else {
                    "bulletType": "bullet", "start": "\u2022"}
                story.append(ListFlowable(items, bulletFontName="Text", bulletFontSize=10.5, spaceAfter=6, **shape))
            else:
                if kind == "heading2":
                    story.append(CondPageBreak(3 * cm))
                story.append(Paragraph(markup(content), style[kind]))
    book.multiBuild(story)


# --- DOCX ----------------------------------------------------------------------------------------------------------

def add_runs(paragraph, text):
    for piece in re.split(r"(\*\*.+?\*\*|\*.+?\*)", text):
        run = paragraph.add_run(piece.strip("*"))
        run.bold = piece.startswith("**") or None
        run.italic = (piece.startswith("*") and not piece.startswith("**")) or None


def fresh_numbering(document):
    """A numbering of its own for one list: Word would otherwise count on from the list before."""
    numbering = document.part.numbering_part.numbering_definitions._numbering
    style = document.styles["List Number"].element.pPr.numPr.numId.val
    number = numbering.add_num(numbering.num_having_numId(style).abstractNumId.val)
    number.add_lvlOverride(ilvl=0).add_startOverride(1)
    return number.numId


def make_docx(path):
    document = Document()
    document.core_properties.title = TITLE
    document.core_properties.author = "Orrin Sound Ferry Cooperative"
    document.core_properties.created = document.core_properties.modified = datetime.datetime(2026, 2, 1)
    section = document.sections[0]
    section.page_width, section.page_height = Cm(21), Cm(29.7)
    section.header.paragraphs[0].text = f"{TITLE}\t\t{EDITION}"
    normal = document.styles["Normal"]
    normal.font.name, normal.font.size = "Liberation Sans", Pt(10.5)
    normal.element.rPr.rFonts.set(qn("w:eastAsia"), "Noto Sans CJK SC")
    document.add_paragraph(TITLE, style="Title")
    document.add_paragraph(EDITION, style="Subtitle")
    for chapter in chapters():
        for kind, content in chapter:
            if kind == "table":
                table = document.add_table(rows=0, cols=len(content[0]), style="Table Grid")
                for index, row in enumerate(content):
                    for cell, text in zip(table.add_row().cells, row):
                        add_runs(cell.paragraphs[0], f"**{text}**" if index == 0 and text else text)
                document.add_paragraph()
            elif kind == "bullets":
                for item in content:
                    add_runs(document.add_paragraph(style="List Bullet"), item)
            elif kind == "numbers":
                number = fresh_numbering(document)
                for item in content:
                    paragraph = document.add_paragraph(style="List Number")
                    properties = paragraph._p.get_or_add_pPr().get_or_add_numPr()
                    properties.get_or_add_ilvl().val = 0
                    properties.get_or_add_numId().val = number
                    add_runs(paragraph, item)
            elif kind.startswith("heading"):
                heading = document.add_heading(content, level=int(kind[-1]))
                heading.paragraph_format.keep_with_next = True
            else:
                add_runs(document.add_paragraph(), content)
    document.save(str(path))


if __name__ == "__main__":
    make_pdf(HERE / "handbook.pdf")
    make_docx(HERE / "handbook.docx")
