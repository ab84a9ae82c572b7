#![cfg_attr(feature = "libfuzzer", no_main)]

hone_fuzz::target!(
    "a.epub",
    "c.xhtml",
    &[
        ("META-INF/container.xml", "<rootfile full-path=\"b.opf\"/>"),
        (
            "b.opf",
            "<p><item id=\"c\" href=\"c.xhtml\" media-type=\"application/xhtml+xml\"/><itemref idref=\"c\"/></p>",
        ),
    ]
);
