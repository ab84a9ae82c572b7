use std::time::Duration;

/// `45 s`, `12 min`, `3 h 05 min`.
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64().round() as u64;
    match seconds {
        0..90 => format!("{seconds} s"),
        90..5400 => format!("{} min", (seconds + 30) / 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// `812 bytes`, `1.4 MB`, `2.3 GB` (decimal, as disks are sold).
pub fn bytes(count: u64) -> String {
    let count_f = count as f64;
    match count {
        0..1_000 => format!("{count} bytes"),
        1_000..1_000_000 => format!("{:.0} kB", count_f / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", count_f / 1e6),
        _ => format!("{:.1} GB", count_f / 1e9),
    }
}

/// Lines of cells as columns, two spaces apart. Columns whose cells below the head are all numbers stand right.
pub fn table(lines: &[Vec<String>]) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or_default();
    let cell = |line: &Vec<String>, column: usize| line.get(column).cloned().unwrap_or_default();
    let width = |text: &str| text.chars().map(|c| if is_wide(c) { 2 } else { 1 }).sum::<usize>();
    let widths: Vec<usize> = (0..columns)
        .map(|column| lines.iter().map(|line| width(&cell(line, column))).max().unwrap_or_default())
        .collect();
    let numeric: Vec<bool> = (0..columns)
        .map(|column| lines.iter().skip(1).all(|line| cell(line, column).starts_with(|c: char| c.is_ascii_digit())))
        .collect();
    let mut out = String::new();
    for line in lines {
        let mut words = String::new();
        for column in 0..columns {
            let text = cell(line, column);
            let gap = " ".repeat(widths[column] - width(&text));
            words += &if numeric[column] { format!("{gap}{text}  ") } else { format!("{text}{gap}  ") };
        }
        out += words.trim_end();
        out.push('\n');
    }
    out
}

/// Whether a terminal gives this character two places.
fn is_wide(c: char) -> bool {
    matches!(u32::from(c), 0x1100..=0x115F | 0x2E80..=0xA4CF | 0xAC00..=0xD7A3 | 0xF900..=0xFAFF | 0xFE30..=0xFE4F | 0xFF00..=0xFF60 | 0xFFE0..=0xFFE6 | 0x2_0000..=0x3_FFFD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_have_units_that_fit() {
        let said = |seconds| duration(Duration::from_secs(seconds));
        assert_eq!([said(45), said(720), said(11_100)], ["45 s", "12 min", "3 h 05 min"]);
        assert_eq!([bytes(812), bytes(1_400_000), bytes(2_300_000_000)], ["812 bytes", "1.4 MB", "2.3 GB"]);
    }

    #[test]
    fn columns_of_numbers_stand_right_and_wide_characters_count_twice() {
        let cells = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let lines = [cells(["name", "rows", "state"]), cells(["渡轮.csv", "7", "read"]), cells(["a.pdf", "120", ""])];
        assert_eq!(table(&lines), "name      rows  state\n渡轮.csv     7  read\na.pdf      120\n");
    }
}
