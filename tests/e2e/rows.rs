//! How rows come to be in the real window: from scanned pages, and from rows that were approved.
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)] // a broken step ends the test

use hone_e2e::{Desk, Server, Window};

const PROJECT: &str = "Orrin 渡轮";

/// How many drafts are shown.
const DRAFTS: &str = "document.querySelectorAll('[data-test=\"draft-item\"]').length";

#[tokio::test]
async fn a_scan_is_named_and_read_as_text_when_one_asks_for_it() {
    let Some(desk) = Desk::new(true) else { return };
    if !desk.recognises_text() {
        return;
    }
    let scan = desk.write_scan();
    let window = Window::open(&desk, &[]).await;
    window.make_project(PROJECT).await;
    window.drop_files(&[scan]).await;
    let named = "document.querySelector('tr[data-test=\"unread-row\"] button')";
    window.wait("the scan in the list", named, 60).await;
    window.script(&format!("{named}.click()"), vec![]).await;
    window.see("recognise", 30).await;
    window.picture("20-scan").await;
    window.speak("zh").await;
    window.picture("20-scan-zh").await;
    window.speak("en").await;

    window.press("recognise").await;
    window.see("document-row", 180).await;
    let read = "document.querySelector('article.read')?.innerText.includes('hydraulic crane lifts 1.2 tonnes')";
    window.wait("the words of the picture", read, 30).await;
    window.picture("21-scan-read").await;
    window.speak("zh").await;
    window.picture("21-scan-read-zh").await;
    window.close().await;
}

#[tokio::test]
async fn approved_rows_give_others_that_wait_for_review_beside_the_row_they_were_made_from() {
    let Some(desk) = Desk::new(true) else { return };
    let files = desk.write_documents();
    let server = Server::start();
    let window = Window::open(&desk, &[]).await;
    window.make_project(PROJECT).await;
    window.drop_files(&files[1..2]).await;
    window.see("document-row", 60).await;
    window.press("rail-clean").await;
    window.press("tab-drafts").await;

    // Rows of a table are approved as they come in: more can be made of them right away.
    window.press("augment").await;
    window.picture("22-augment").await;
    window.press("augment-start").await;
    window.wait("rows with other words", &format!("{DRAFTS} > 0"), 60).await;
    window.see("draft-parent", 30).await;
    window.picture("23-synonyms").await;
    window.speak("zh").await;
    window.picture("23-synonyms-zh").await;
    window.press("augment").await;
    window.picture("22-augment-zh").await;
    window.press("augment-close").await;
    window.speak("en").await;
    let made = window.count("draft-item").await;

    window.press("augment").await;
    window.press("augment-paraphrase").await;
    window.choose("draft-writer", "endpoint:").await;
    window.fill("draft-address", &server.address).await;
    window.fill("draft-model", "writer").await;
    window.picture("24-paraphrase").await;
    window.press("augment-start").await;
    // Of the ten rows that are studied, each once.
    window.wait("reworded rows", &format!("{DRAFTS} === {}", made + 10), 60).await;
    window.choose("draft-kind", "paraphrase").await;
    window.wait("only the reworded", &format!("{DRAFTS} === 10"), 30).await;
    let beside = "document.querySelector('[data-test=\"draft-parent\"]')?.innerText.includes('When does the night ferry leave?')";
    window.wait("the row it was made from", beside, 30).await;
    window.picture("25-reworded").await;
    window.keys("a").await;
    window
        .wait(
            "it is approved",
            "document.querySelector('[data-test=\"draft-item\"][data-at=\"0\"]')?.dataset.status === 'approved'",
            10,
        )
        .await;
    window.close().await;
}
