"""Makes the files of this folder that are no PDF, no Word document and no plain text: standard library only.

    python3 tests/bad-input/make_formats.py
"""

import io
import struct
import zipfile
from pathlib import Path

HERE = Path(__file__).parent


def package(parts):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts:
            info = name if isinstance(name, zipfile.ZipInfo) else zipfile.ZipInfo(name)
            archive.writestr(info, content, zipfile.ZIP_DEFLATED, 9)
    return out.getvalue()


def write(name, content):
    (HERE / name).write_bytes(content if isinstance(content, bytes) else content.encode())


ODT, ODS = ("application/vnd.oasis.opendocument." + kind for kind in ["text", "spreadsheet"])
laughs = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY f SYSTEM "file:///etc/passwd">]>'
text = "<office:body><text:p>Before &b; between &f; after &amp; end.</text:p></office:body>"
write("entities.odt", package([("mimetype", ODT), ("content.xml", laughs + text)]))
write("cut-off-text.odt", package([("mimetype", ODT), ("content.xml", "<office:body><text:p>What stands before the cut.</text:p><text:p>And beh")]))
write("bomb.odt", package([("mimetype", ODT), ("content.xml", "<office:body><text:p>" + "a" * 100_000_000 + "</text:p></office:body>")]))
deep = "<text:list><text:list-item>" * 20_000 + "<text:p>deep</text:p>" + "</text:list-item></text:list>" * 20_000
write("deep-lists.odt", package([("mimetype", ODT), ("content.xml", "<office:body><text:p>Shallow.</text:p>" + deep + "</office:body>")]))
cell = "<table:table-cell><text:p>{}</text:p></table:table-cell>"
row = "<table:table-row{}>{}</table:table-row>"
rows = [
    row.format("", cell.format("question") + cell.format("answer")),
    row.format("", cell.format("Who?") + cell.format("Me")),
    row.format(' table:number-rows-repeated="1048570"', '<table:table-cell table:number-columns-repeated="16384"><text:p>x</text:p></table:table-cell>'),
]
sheet = "<office:body><table:table table:name='A'>" + "".join(rows) + "</table:table></office:body>"
write("million-columns.ods", package([("mimetype", ODS), ("content.xml", sheet)]))
slide = "<p:sld><p:sp><a:p><a:r><a:t>{}</a:t></a:r></a:p></p:sp>{}"
related = '<Relationships>{}</Relationships>'
relation = '<Relationship Id="r{0}" Type="http://x/slide" Target="slides/s{0}.xml"/>'
write("cut-off-slide.pptx", package([
    ("ppt/presentation.xml", '<p:presentation><p:sldId id="1" r:id="r1"/><p:sldId id="2" r:id="r2"/><p:sldId id="3" r:id="r3"/></p:presentation>'),
    ("ppt/_rels/presentation.xml.rels", related.format("".join(relation.format(n) for n in [1, 2, 3]))),
    ("ppt/slides/s1.xml", slide.format("The lamp on the pier.", "<p:sp><a:p><![CDATA[")),
    ("ppt/slides/s3.xml", slide.format("It burns at night.", "</p:sld>")),
]))
container = '<container><rootfiles><rootfile full-path="{}"/></rootfiles></container>'
lock = '<encryption><EncryptedData><EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#aes256-cbc"/></EncryptedData></encryption>'
write("locked.epub", package([("META-INF/container.xml", container.format("b.opf")), ("META-INF/encryption.xml", lock), ("b.opf", "<package/>")]))
write("outside.epub", package([("META-INF/container.xml", container.format("../../../etc/passwd"))]))
write("deep.html", "<h1>Top</h1>" + "<div>" * 6_000 + "<p>deep down" + "</div>" * 6_000)
write("unclosed.html", "<h1>Top</h1><table>" + "<tr><td><b><i><a href='x'>" * 1_000 + "end")
write("deep.rtf", "{\\rtf1 Top.\\par " + "{" * 20_000 + "deep" + "}" * 20_000 + "\\par}")
write("binary.rtf", b"{\\rtf1 Before.\\par{\\pict\\bin4000000000 \x00\x01}after}")
write("word-97.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504))
write("cut-off.parquet", b"PAR1" + bytes(200))
write("lying-footer.parquet", b"PAR1" + bytes(64) + struct.pack("<I", 0x7FFFFFFF) + b"PAR1")


def link(name):
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, 0o120777 << 16
    return info


good = "The lamp on the pier burns from dusk to dawn.\n"
write("hostile.zip", package([
    ("../../../../tmp/hone-was-here.txt", good),
    ("C:\\Windows\\hone.txt", good + "C\n"),
    ("/etc/hone.txt", good + "etc\n"),
    (link("link.txt"), "/etc/passwd"),
    ("dear\u202etxt.exe", "MZ\x90"),
    ("CON.txt", good + "CON\n"),
    ("inner.zip", package([("a.txt", good)])),
    ("bomb.txt", "\0" * 90_000_000),
    ("twice.md", "# Once\n"),
    ("twice.md", "# Twice\n"),
]))
write("nested.zip", package([("1.zip", package([("2.zip", package([("3.txt", good)]))]))]))
