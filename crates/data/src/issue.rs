//! Making issues: one place for their shape, and a list that does not grow with the file.

use crate::{Issue, IssueKind};

/// How many issues of one kind a file may list one by one.
const LISTED: usize = 20;

impl Issue {
    /// The file gave nothing.
    #[cfg(feature = "import")]
    pub(crate) fn unreadable(code: &str, file: &str, message: impl Into<String>, hint: &str) -> Self {
        Self::new(IssueKind::Unreadable, code, file, "", message, hint)
    }

    /// A part was left out.
    pub(crate) fn partial(code: &str, file: &str, place: &str, message: impl Into<String>, hint: &str) -> Self {
        Self::new(IssueKind::Partial, code, file, place, message, hint)
    }

    /// Worth a look.
    pub(crate) fn remark(code: &str, file: &str, place: &str, message: impl Into<String>, hint: &str) -> Self {
        Self::new(IssueKind::Remark, code, file, place, message, hint)
    }

    fn new(kind: IssueKind, code: &str, file: &str, place: &str, message: impl Into<String>, hint: &str) -> Self {
        Self {
            kind,
            code: code.to_owned(),
            file: file.to_owned(),
            place: place.to_owned(),
            message: message.into(),
            hint: hint.to_owned(),
        }
    }
}

/// Issues of one file where a million broken lines must not become a million issues: of each code the first
/// twenty are listed, the others are counted in one more.
#[derive(Debug, Default)]
pub(crate) struct IssueList {
    issues: Vec<Issue>,
    counts: Vec<(String, usize)>,
}

impl Extend<Issue> for IssueList {
    fn extend<T: IntoIterator<Item = Issue>>(&mut self, issues: T) {
        issues.into_iter().for_each(|issue| self.push(issue));
    }
}

impl IssueList {
    pub(crate) fn push(&mut self, issue: Issue) {
        let place = self.counts.iter().position(|(code, _)| *code == issue.code).unwrap_or_else(|| {
            self.counts.push((issue.code.clone(), 0));
            self.counts.len() - 1
        });
        let (_, count) = &mut self.counts[place];
        *count += 1;
        if *count <= LISTED {
            self.issues.push(issue);
        }
    }

    pub(crate) fn into_issues(mut self) -> Vec<Issue> {
        for (code, count) in &self.counts {
            let more = count.saturating_sub(LISTED);
            if let (true, Some(last)) = (more > 0, self.issues.iter().rposition(|issue| issue.code == *code)) {
                let summary = Issue {
                    place: String::new(),
                    message: format!("{more} more places like this"),
                    ..self.issues[last].clone()
                };
                self.issues.insert(last + 1, summary);
            }
        }
        self.issues
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_issues_of_one_code_are_counted_not_listed() {
        let mut list = IssueList::default();
        for line in 0..1000 {
            list.push(Issue::partial("broken_line", "a.jsonl", &format!("line {line}"), "Broken", "Mend it"));
        }
        list.push(Issue::remark("encoding", "a.jsonl", "", "Read as GBK", ""));
        let issues = list.into_issues();
        assert_eq!(issues.len(), 22);
        assert_eq!(issues[20].message, "980 more places like this");
        assert_eq!(issues[21].code, "encoding");
    }
}
