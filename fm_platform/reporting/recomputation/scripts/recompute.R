# Recompute every number of published.csv from the CSV files in inputs/ and compare.
#
#     Rscript recompute.R [--all] [--without-de] [--without-refits]
#
# Needs R 4 alone; DESeq2 (Bioconductor) for differential expression. Reads this folder only, prints a table, writes
# result.csv and exits with 1 where a number differs, naming it.

arguments <- commandArgs(trailingOnly = TRUE)
script <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))
folder <- if (length(script)) dirname(normalizePath(script[1])) else "."
options(stringsAsFactors = FALSE, warn = 1)
if (!l10n_info()[["UTF-8"]]) for (name in c("C.UTF-8", "C.utf8", "en_US.UTF-8")) {
  if (suppressWarnings(Sys.setlocale("LC_CTYPE", name)) != "") break
}
for (step in c("reading", "exact", "people", "change", "mixed", "response", "description", "expression")) {
  source(file.path(folder, "recomputing", paste0(step, ".R")), encoding = "UTF-8")
}

parameter <- function(name) {
  rows <- input("parameters")
  value <- rows$value[rows$name == name]
  if (length(value)) value[1] else NA
}

published <- read_text(file.path(folder, "published.csv"))
asked <- function(...) any(published$table %in% c(...))

if (rows_of(input("visits"))) {
  study <- read_study()
  if (asked("stats.symptom_change", "report.symptom_change")) change_tables(study)
  if (asked("stats.sensitivity")) sensitivity_table(study)
  if (asked("stats.friedman")) friedman_table(study, published)
  if (asked("stats.between_arms", "report.between_arms")) between_arms_tables(study)
  judged <- statuses(study)
  response_tables(study, judged)
  if (asked("stats.responder_arms")) responder_arms_table(study, judged)
  characteristics_table(study)
  if (asked("report.completeness")) completeness_table(study)
  recorded_table(study)
  if (asked("stats.planning")) planning_table(study, judged)
}
data_quality_table()
skipped <- expression_tables(published, !"--without-refits" %in% arguments, !"--without-de" %in% arguments)
simulated <- grepl("simulated", published$method) & published$column == "power"
skipped <- c(skipped, setNames(rep("power of series simulated by numpy: see recompute.py", sum(simulated)), published$id[simulated]))

published$recomputed <- ""
published$recomputed_value <- ""
published$equal <- "NO"
published$note <- ""
for (at in seq_len(nrow(published))) {
  row <- published[at, ]
  value <- if (exists(row$id, envir = found$values, inherits = FALSE)) get(row$id, envir = found$values) else NULL
  why <- skipped[c(row$id, paste0(row$table, ".", row$column), row$table)]
  why <- why[!is.na(why)]
  if (!is.null(value) && !(is.na(value) && length(why))) {
    published$recomputed[at] <- write_number(value, row$precision)
    published$recomputed_value[at] <- if (is.na(value)) "" else if (is.numeric(value)) sprintf("%.17g", value) else value
    if (same(row, value)) published$equal[at] <- "yes"
  } else {
    published$equal[at] <- if (length(why)) "skipped" else "NO"
    published$note[at] <- if (length(why)) why[[1]] else "not recomputed"
  }
}
write.csv(published, file.path(folder, "result.csv"), row.names = FALSE, na = "", fileEncoding = "UTF-8")

if ("--all" %in% arguments) cat(sprintf("%-8s %s = %s | %s\n", published$equal, published$id, published$printed, published$recomputed), sep = "")
count <- function(rows) c(nrow(rows), sum(rows$equal == "yes"), sum(rows$equal == "NO"), sum(rows$equal == "skipped"))
cat(sprintf("%-28s %8s %8s %8s %8s\n", "table", "numbers", "equal", "differ", "skipped"))
for (table in unique(published$table)) {
  cat(do.call(sprintf, c(list("%-28s %8d %8d %8d %8d\n", table), as.list(count(published[published$table == table, ])))))
}
cat(do.call(sprintf, c(list("%-28s %8d %8d %8d %8d\n", "all"), as.list(count(published)))))
for (why in unique(published$note[published$equal == "skipped"])) cat("skipped: ", why, "\n", sep = "")
different <- published[published$equal == "NO", ]
for (at in seq_len(nrow(different))) {
  row <- different[at, ]
  cat("DIFFERENT ", row$id, ": published ", if (is.na(row$printed)) "(none)" else row$printed, " (", row$value, "), recomputed ",
      row$recomputed, " ", row$note, "\n", sep = "")
}
quit(status = if (nrow(different)) 1 else 0)
