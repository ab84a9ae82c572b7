"""Makes the files of this folder with programs that are not Hone's: pandoc 2.17, python-pptx, xlwt, odfpy, pyarrow, Pillow, poppler.

    python3 -m venv venv && venv/bin/pip install python-pptx xlwt odfpy pyarrow Pillow && venv/bin/python make.py
"""

import subprocess
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import xlwt
from odf.opendocument import OpenDocumentSpreadsheet
from odf.table import Table, TableCell, TableRow
from odf.text import P
from PIL import Image
from pptx import Presentation
from pptx.util import Inches

HERE = Path(__file__).parent
ROWS = [
    ("question", "answer", "litres"),
    ("How much oil does the lamp use in January?", "41 litres", 41.0),
    ("灯罩裂了怎么办？", "马上报告港务处", 0.5),
    ("Who looks at the lamp?", "Whoever has the watch, twice a night", 7.0),
]

for end in ["docx", "odt", "rtf", "epub", "pptx"]:
    subprocess.run(["pandoc", "-s", "sample.md", "-o", f"sample.{end}"], cwd=HERE, check=True)
subprocess.run(["pandoc", "-s", "sample.md", "-t", "html5", "-o", "sample.html"], cwd=HERE, check=True)

deck = Presentation()
slide = deck.slides.add_slide(deck.slide_layouts[0])
slide.shapes.title.text = "Care of the harbour lamp"
slide.placeholders[1].text = "For whoever has the watch"
slide = deck.slides.add_slide(deck.slide_layouts[1])
slide.shapes.title.text = "Before dusk"
body = slide.placeholders[1].text_frame
body.text = "Wipe the glass"
part = body.add_paragraph()
part.text, part.level = "with a dry cloth", 1
slide.notes_slide.notes_text_frame.text = "Show the cloth. 灯罩要擦干净。"
slide = deck.slides.add_slide(deck.slide_layouts[5])
slide.shapes.title.text = "What it uses"
table = slide.shapes.add_table(2, 2, Inches(1), Inches(2), Inches(4), Inches(1)).table
for y, row in enumerate([("Month", "Oil, litres"), ("January", "41")]):
    for x, text in enumerate(row):
        table.cell(y, x).text = text
deck.save(HERE / "slides.pptx")

book = xlwt.Workbook()
sheet = book.add_sheet("Lamp")
for y, row in enumerate(ROWS):
    for x, value in enumerate(row):
        sheet.write(y, x, value)
book.save(str(HERE / "rows.xls"))

ods = OpenDocumentSpreadsheet()
table = Table(name="Lamp")
for row in ROWS:
    line = TableRow()
    for value in row:
        number = isinstance(value, float)
        cell = TableCell(valuetype="float", value=value) if number else TableCell(valuetype="string")
        cell.addElement(P(text=f"{value:.2f}" if number else value))
        line.addElement(cell)
    table.addElement(line)
ods.spreadsheet.addElement(table)
ods.save(str(HERE / "rows.ods"))

columns = {name: [row[at] for row in ROWS[1:]] for at, name in enumerate(ROWS[0])}
for kind in ["snappy", "zstd", "gzip", "none"]:
    pq.write_table(pa.table(columns), HERE / f"rows-{kind}.parquet", compression=kind)
talk = [[{"role": "user", "content": q}, {"role": "assistant", "content": a}] for q, a, _ in ROWS[1:]]
pq.write_table(pa.table({"messages": talk, "picture": [b"\x89PNG\xff"] * 3}), HERE / "messages.parquet")

# Two pages of the sample handbook as a scanner makes them: pictures of text (pdftoppm of poppler-utils, Pillow).
handbook = "../../../cli/samples/handbook.pdf"
subprocess.run(["pdftoppm", "-r", "150", "-gray", "-png", "-f", "5", "-l", "6", handbook, "page"], cwd=HERE, check=True)
pages = [Image.open(path).convert("1") for path in sorted(HERE.glob("page-*.png"))]
pages[0].save(HERE / "scan.pdf", save_all=True, append_images=pages[1:], resolution=150)
for path in HERE.glob("page-*.png"):
    path.unlink()
subprocess.run(["pdftotext", "-f", "5", "-l", "6", handbook, "scan.txt"], cwd=HERE, check=True)
