#![cfg_attr(feature = "libfuzzer", no_main)]

hone_fuzz::target!(|bytes: &[u8]| hone_fuzz::model::template(bytes));
