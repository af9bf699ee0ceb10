//! Tables of the page: a caption, a heading, rows; wide ones scroll on their own.

use super::text::escape;

/// A table. Cells are HTML, headings and captions text.
#[derive(Clone, Debug, Default)]
pub struct Table {
    caption: String,
    heads: Vec<String>,
    rows: Vec<(String, Vec<String>)>,
}

impl Table {
    /// `heads` names the columns, that of the rows' names included.
    pub fn new(caption: &str, heads: &[&str]) -> Self {
        let heads = heads.iter().map(|h| escape(h)).collect();
        Self { caption: escape(caption), heads, rows: Vec::new() }
    }

    /// Adds a row: its name as text, its cells as HTML.
    pub fn row(&mut self, name: &str, cells: Vec<String>) {
        self.rows.push((escape(name), cells));
    }

    /// As HTML.
    pub fn html(&self) -> String {
        let heads: Vec<String> = self.heads.iter().map(|h| format!("<th scope=col>{h}</th>")).collect();
        let row = |(name, cells): &(String, Vec<String>)| {
            let cells: Vec<String> = cells.iter().map(|c| format!("<td>{c}</td>")).collect();
            format!("<tr><th scope=row>{name}</th>{}</tr>\n", cells.concat())
        };
        let rows: String = self.rows.iter().map(row).collect();
        format!(
            "<div class=wide><table><caption>{}</caption><thead><tr>{}</tr></thead>\n<tbody>{rows}</tbody></table></div>\n",
            self.caption,
            heads.concat()
        )
    }
}
