#![cfg_attr(feature = "libfuzzer", no_main)]

hone_fuzz::target!("a.ods", "content.xml", &[("mimetype", "application/vnd.oasis.opendocument.spreadsheet")]);
