#![cfg_attr(feature = "libfuzzer", no_main)]

hone_fuzz::target!(
    "a.pptx",
    "ppt/slides/s1.xml",
    &[
        ("ppt/presentation.xml", "<p><sldId id=\"1\" r:id=\"r1\"/></p>"),
        (
            "ppt/_rels/presentation.xml.rels",
            "<Relationships><Relationship Id=\"r1\" Type=\"http://x/relationships/slide\" Target=\"slides/s1.xml\"/></Relationships>",
        ),
    ]
);
