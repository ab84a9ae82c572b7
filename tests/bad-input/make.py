"""Makes the files of this folder: small, hostile or broken, each for one way in which a file can be bad.

    python3 -m venv /tmp/bad-input
    /tmp/bad-input/bin/pip install pypdf==7.1.1 cryptography
    /tmp/bad-input/bin/python tests/bad-input/make.py

The protected PDFs differ from run to run (their keys are drawn); everything else is the same byte for byte.
"""

import io
import zipfile
import zlib
from pathlib import Path

from pypdf import PdfReader, PdfWriter

HERE = Path(__file__).parent


def pdf(pages, extra=(), count=None):
    """A PDF of `pages`: each a list of (x, y, size, text) lines, or bytes of a content stream."""
    objects = {1: b"<< /Type /Catalog /Pages 2 0 R >>", 3: b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"}
    kids, number = [], 10
    for page in pages:
        if isinstance(page, bytes):
            stream = page
        else:
            stream = b"".join(
                f"BT /F1 {size} Tf {x} {y} Td ({text}) Tj ET\n".encode("latin-1") for x, y, size, text in page
            )
        objects[number] = (
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {number + 1} 0 R "
            "/Resources << /Font << /F1 3 0 R >> /XObject << /Im1 4 0 R >> >> >>"
        ).encode()
        objects[number + 1] = b"<< /Length %d >>\nstream\n" % len(stream) + stream + b"\nendstream"
        kids.append(f"{number} 0 R")
        number += 2
    objects[2] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {count or len(kids)} >>".encode()
    picture = zlib.compress(b"\x80" * 64 * 64)
    objects[4] = (
        b"<< /Type /XObject /Subtype /Image /Width 64 /Height 64 /ColorSpace /DeviceGray /BitsPerComponent 8 "
        b"/Filter /FlateDecode /Length %d >>\nstream\n" % len(picture) + picture + b"\nendstream"
    )
    objects.update(extra)
    out, offsets = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"), {}
    for key in sorted(objects):
        offsets[key] = len(out)
        out += b"%d 0 obj\n" % key + objects[key] + b"\nendobj\n"
    start, size = len(out), max(objects) + 1
    out += b"xref\n0 1\n0000000000 65535 f \n"
    for key in sorted(objects):
        out += b"%d 1\n%010d 00000 n \n" % (key, offsets[key])
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (size, start)
    return bytes(out)


BODY = [
    (70, 700, 10, "The lamp on the pier burns from dusk to dawn and is looked after by"),
    (70, 687, 10, "the harbour watch. A broken lamp is mended before the next sailing."),
]
LETTER = [[(70, 740, 18, "The pier lamp"), *BODY], [(70, 740, 18, "The second page"), *BODY]]
SCAN = b"q 595 0 0 842 0 0 cm /Im1 Do Q"


def protected(user, owner, algorithm):
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf(LETTER))))
    writer.encrypt(user_password=user, owner_password=owner, algorithm=algorithm)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


def docx(body, prolog="", document=None, main="word/document.xml"):
    files = {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>',
        "_rels/.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" '
        'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="' + main + '"/></Relationships>',
        main: document or f"{prolog}<w:document {W}><w:body>{body}</w:body></w:document>",
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name), text, zipfile.ZIP_DEFLATED, 9)
    return out.getvalue()


def paragraph(text):
    return f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>"


def write(name, content):
    (HERE / name).write_bytes(content if isinstance(content, bytes) else content.encode())


write("empty.txt", b"")
write("blank.md", " \n\n\t\n")
write("good.pdf", pdf(LETTER))
write("cut-off.pdf", pdf(LETTER)[:600])
write("password.pdf", protected("secret", "owner", "AES-256"))
write("old-password.pdf", protected("secret", "owner", "RC4-128"))
write("no-printing.pdf", protected("", "owner", "RC4-128"))
write("scanned.pdf", pdf([SCAN, SCAN, SCAN]))
write("half-scanned.pdf", pdf([LETTER[0], SCAN, SCAN, b""]))
write("page-loop.pdf", pdf(LETTER, {2: b"<< /Type /Pages /Kids [2 0 R 10 0 R 2 0 R] /Count 99999999 >>"}))
bomb = zlib.compress(b" " * 200_000_000, 9)
write("bomb.pdf", pdf(LETTER, {11: b"<< /Filter /FlateDecode /Length %d >>\nstream\n" % len(bomb) + bomb + b"\nendstream"}))
write("good.docx", docx(paragraph("The lamp on the pier.") + paragraph("It burns at night.")))
write("cut-off.docx", docx("".join(paragraph(f"Sentence number {n}.") for n in range(200)))[:900])
write("cut-off-text.docx", docx("", document=f"<w:document {W}><w:body>{paragraph('What stands before the cut.')}<w:p><w:r><w:t>And beh"))
write("bomb.docx", docx("<w:p><w:r><w:t>" + "a" * 100_000_000 + "</w:t></w:r></w:p>"))
laughs = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY f SYSTEM "file:///etc/passwd">]>'
write("entities.docx", docx(paragraph("Before &b; between &f; after &amp; end."), laughs))
tables = "<w:tbl><w:tr><w:tc>" * 20_000 + paragraph("deep") + "</w:tc></w:tr></w:tbl>" * 20_000
write("nested-tables.docx", docx(paragraph("Shallow.") + tables))
write("no-text.docx", docx("<w:p/>"))
write("picture.txt", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4)
write("noise.txt", bytes((n * n * 31 + n * 7) % 256 for n in range(4096)))
write("really-a-pdf.txt", pdf(LETTER))
write("really-text.pdf", "These are just words.\n\nAnd some more of them.\n")
write("spreadsheet.xlsx", docx("", document="<x/>", main="xl/workbook.xml"))
write("ragged.csv", "question,answer\nWho?,Me\nWhere?,Here, there\nWhen?\nWhy?,Because\n")
write("unclosed-quote.csv", 'question,answer\nWho?,Me\nWhere?,"Here\nWhen?,Now\nWhy?,Because\n')
write("header-only.csv", "question,answer\n")
write("broken-line.jsonl", '{"question":"Who?","answer":"Me"}\n{"question":"Where?",\nnonsense\n{"question":"Why?","answer":"So"}\n')
write("cut-off.json", '[{"question":"Who?","answer":"Me"},\n{"question":"Where?","ans')
write("mixed-encodings.txt", "码头上的灯从黄昏亮到黎明。\n".encode() * 3 + "由港口值班员看管。\n".encode("gb18030"))
write("nul-bytes.csv", b"question,answer\nWho?,M\x00e\nWhy?,Because it is so and has always been so\n")
