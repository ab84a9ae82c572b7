#![cfg_attr(feature = "libfuzzer", no_main)]

hone_fuzz::target!("a.txt");
