# The folder's CSV files, keys as text, numbers as text, and whether two numbers are the same in print.
# Belongs here: reading, writing and comparing. Does not belong here: computing.

dash <- intToUtf8(0x2013)
minus <- intToUtf8(0x2212)
times_ten <- paste0(intToUtf8(0xD7), "10")
raised <- c("-" = 0x207B, "0" = 0x2070, "1" = 0xB9, "2" = 0xB2, "3" = 0xB3, "4" = 0x2074, "5" = 0x2075,
            "6" = 0x2076, "7" = 0x2077, "8" = 0x2078, "9" = 0x2079)

read_text <- function(path) {
  # All columns as text; an empty field is NA.
  found <- read.csv(path, colClasses = "character", na.strings = "", check.names = FALSE, encoding = "UTF-8",
                    fileEncoding = "UTF-8", quote = "\"", comment.char = "", strip.white = FALSE)
  found
}

input <- function(name) {
  path <- file.path(folder, "inputs", paste0(name, ".csv"))
  if (file.exists(path)) read_text(path) else NULL
}

rows_of <- function(frame) if (is.null(frame)) 0L else nrow(frame)

found <- new.env()
found$ids <- vector("list", 0)

put <- function(table, key, columns) {
  # Add the numbers of one row; NULL and NA stand for none.
  text <- paste(paste0(names(key), "=", vapply(key, function(v) if (is.null(v) || is.na(v)) "" else as.character(v), "")),
                collapse = ";")
  prefix <- paste0(table, "[", text, "].")
  for (name in names(columns)) {
    value <- columns[[name]]
    assign(paste0(prefix, name), if (is.null(value)) NA else value, envir = found$values)
  }
}
found$values <- new.env(hash = TRUE, size = 20000L)

half_up <- function(x, digits) {
  # Rounded half away from zero, as the shortest decimal form of x is.
  scaled <- abs(x) * 10^digits
  sign(x) * floor(scaled + 0.5 + 1e-9 * pmax(1, scaled) * 1e-3) / 10^digits
}

fixed <- function(x, digits, plus = FALSE) {
  if (is.null(x) || is.na(x) || !is.finite(x)) return(dash)
  rounded <- half_up(x, digits)
  mark <- if (rounded < 0) minus else if (plus && rounded > 0) "+" else ""
  paste0(mark, sprintf(paste0("%.", digits, "f"), abs(rounded)))
}

short <- function(x) sub("\\.0$", "", fixed(x, 1))

probability <- function(p) {
  if (is.null(p) || is.na(p)) return(dash)
  if (p < 0.001) return("<0.001")
  if (p == 1) return("1")
  if (p >= 0.9995) return(">0.999")
  digits <- 3
  while (abs(half_up(p, digits) - 0.05) < 1e-12 && p != 0.05) digits <- digits + 1
  fixed(p, digits)
}

with_floor <- function(p, floor) {
  text <- probability(p)
  if (is.na(p) || is.na(floor)) text else paste0(text, " (floor ", probability(floor), ")")
}

small <- function(p) {
  if (is.null(p) || is.na(p) || p >= 0.001) return(probability(p))
  up <- function(text) paste(vapply(strsplit(text, "")[[1]], function(m) intToUtf8(raised[[m]]), ""), collapse = "")
  if (p < 1e-300) return(paste0("<10", up("-300")))
  parts <- strsplit(sprintf("%.1e", p), "e")[[1]]
  paste0(parts[1], times_ten, up(as.character(as.integer(parts[2]))))
}

interval <- function(low, high, level) {
  if (is.na(low) || is.na(high) || is.na(level)) return("no 95% interval attainable")
  paste0(short(100 * level), "% CI ", fixed(low, 1), " to ", fixed(high, 1))
}

percent <- function(part, whole) {
  if (is.na(whole) || whole == 0) return(dash)
  paste0(fixed(100 * part / whole, if (whole < 100) 0 else 1), "%")
}

share_of <- function(part, whole) {
  if (is.na(part) || is.na(whole) || whole == 0) dash else paste0(part, "/", whole, " (", percent(part, whole), ")")
}

share_interval <- function(low, high) {
  if (is.na(low) || is.na(high)) dash else paste0(fixed(100 * low, 1), "% to ", fixed(100 * high, 1), "%")
}

seven <- function(x) {
  # Seven digits, as C's %g has them.
  sprintf("%.7g", x)
}

write_number <- function(value, precision) {
  if (length(value) == 0 || is.na(value)) return("")
  if (precision == "text") return(as.character(value))
  x <- as.numeric(value)
  switch(precision,
         "count" = sprintf("%.0f", x), "0.1" = fixed(x, 1), "0.01" = fixed(x, 2), "percent" = fixed(100 * x, 1),
         "p" = probability(x), "small p" = small(x), "full" = seven(x), stop("unknown precision ", precision))
}

same <- function(row, value) {
  # Whether a recomputed value is the published one at printed precision; the published text must be that of the exact value.
  printed <- if (is.na(row$printed)) "" else row$printed
  exact <- if (is.na(row$value)) "" else row$value
  if (row$precision == "text") return(identical(printed, exact) && identical(enc2utf8(printed), enc2utf8(write_number(value, "text"))))
  written <- write_number(value, row$precision)
  if (exact == "" || written == "") return(printed == exact && exact == written)
  stated <- as.numeric(exact)
  x <- as.numeric(value)
  near <- abs(x - stated) <= 1e-9 * max(abs(stated), 1e-9)
  if (row$precision == "full") {
    if (abs(as.numeric(printed) - stated) > 1e-6 * abs(stated)) return(FALSE)
    return(near || abs(x - stated) <= 5e-7 * abs(stated) + 1e-12)
  }
  if (enc2utf8(write_number(stated, row$precision)) != enc2utf8(printed)) return(FALSE)
  near || enc2utf8(written) == enc2utf8(printed)
}
