#![cfg_attr(feature = "libfuzzer", no_main)]

hone_fuzz::target!("a.odt", "content.xml", &[("mimetype", "application/vnd.oasis.opendocument.text")]);
