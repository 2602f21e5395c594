# Change from baseline, arm against arm, and the same under other assumptions.
# Belongs here: stats.symptom_change, stats.sensitivity, stats.friedman, stats.between_arms and what is printed of them.

none <- function(names) setNames(as.list(rep(NA_real_, length(names))), names)
words <- function(text) strsplit(trimws(text), "\\s+")[[1]]

complete <- function(study, series, visit) {
  if (is.na(study$baseline)) return(rep(FALSE, nrow(series$values)))
  !is.na(series$values[, study$baseline]) & !is.na(series$values[, visit])
}

change_row <- function(study, outcome, group, series, visit) {
  has <- complete(study, series, visit)
  base <- if (any(has)) series$values[has, study$baseline] else numeric(0)
  post <- if (any(has)) series$values[has, visit] else numeric(0)
  changes <- post - base
  n <- sum(has)
  down <- sum(changes < 0)
  up <- sum(changes > 0)
  lower <- outcome$better == "lower"
  row <- c(list(n = n, n_expected = nrow(group$people), n_missing = nrow(group$people) - n,
                improved = if (lower) down else up, worsened = if (lower) up else down, unchanged = n - down - up,
                n_zero = 0, n_eff = 0, n_tied_groups = 0),
           none(words("median_baseline median_change hl_estimate hl_low hl_high hl_level w_plus w_minus p_value p_floor p_num
                       p_den rank_biserial family_size p_holm p_bh holm_floor")))
  if (!n) return(row)
  test <- signed_rank(changes)
  location <- hodges_lehmann(changes)
  total <- test$w_plus + test$w_minus
  counted <- test$n_eff <= 62
  modifyList(row, list(
    n_zero = test$n_zero, n_eff = test$n_eff, n_tied_groups = test$ties,
    median_baseline = median(base) / series$scale, median_change = median(changes) / series$scale,
    hl_estimate = location$estimate / series$scale, hl_low = location$low / series$scale,
    hl_high = location$high / series$scale, hl_level = location$level,
    w_plus = test$w_plus, w_minus = test$w_minus, p_value = test$p, p_floor = test$floor,
    p_num = if (counted) test$p * 2^test$n_eff else NA, p_den = if (counted) 2^test$n_eff else NA,
    rank_biserial = if (total > 0) (test$w_plus - test$w_minus) / total else NA))
}

adjusted <- function(rows, families) {
  # Holm's and Benjamini and Hochberg's p-values within each declared family; every declared test counts.
  for (family in unique(families[!is.na(families)])) {
    at <- which(families == family)
    p <- vapply(rows[at], function(row) as.numeric(row$p_value), 0)
    size <- length(at)
    holm <- p.adjust(p, "holm", n = size)
    stepped <- p.adjust(p, "BH", n = size)
    for (i in seq_along(at)) {
      floor <- rows[[at[i]]]$p_floor
      rows[[at[i]]][words("family_size p_holm p_bh holm_floor")] <-
        list(size, holm[i], stepped[i], if (is.na(floor)) NA else min(1, floor * size))
    }
  }
  rows
}

change_tables <- function(study) {
  rows <- list()
  keys <- list()
  families <- character(0)
  for (o in seq_len(nrow(study$outcomes))) {
    outcome <- study$outcomes[o, ]
    for (visit in study$later) for (group in study$groups) {
      rows[[length(rows) + 1]] <- change_row(study, outcome, group, series_of(study, outcome$name, group), visit)
      keys[[length(keys) + 1]] <- list(outcome = outcome$outcome_id, visit = visit, stratum = group$stratum)
      families <- c(families, if (is.na(group$stratum)) outcome$family else NA)
    }
  }
  rows <- adjusted(rows, families)
  within_arms <- identical(parameter("strata_are_arms"), "true")
  for (at in seq_along(rows)) {
    row <- rows[[at]]
    put("stats.symptom_change", keys[[at]], row)
    if (within_arms && !is.na(keys[[at]]$stratum)) row[c("p_value", "p_floor")] <- list(NA, NA)
    row$change_text <- dash
    if (!is.na(row$median_change)) {
      row$change_text <- paste0("median ", fixed(row$median_change, 1, TRUE), "; HL ", fixed(row$hl_estimate, 1, TRUE), " (",
                                interval(row$hl_low, row$hl_high, row$hl_level), ")")
    }
    row$p_text <- with_floor(row$p_value, row$p_floor)
    put("report.symptom_change", keys[[at]], row)
  }
}

arms_of <- function(study) {
  there <- sort(unique(study$people$arm[!is.na(study$people$arm)]), method = "radix")
  levels_ <- input("levels")
  order_ <- levels_$level[levels_$variable == "arm"]
  arms <- c(order_[order_ %in% there], there[!there %in% order_])
  declared <- parameter("reference_arm")
  list(arms = arms, reference = if (!is.na(declared) && declared %in% arms) declared else arms[1])
}

between_arms_tables <- function(study) {
  arms <- arms_of(study)
  rows <- list()
  keys <- list()
  families <- character(0)
  if (is.na(study$baseline)) return(invisible())
  for (o in seq_len(nrow(study$outcomes))) {
    outcome <- study$outcomes[o, ]
    series <- series_of(study, outcome$name, study$groups[[1]])
    for (visit in study$later) for (arm in setdiff(arms$arms, arms$reference)) {
      rows[[length(rows) + 1]] <- arm_row(study, series, visit, arm, arms$reference)
      keys[[length(keys) + 1]] <- list(outcome = outcome$outcome_id, visit = visit, arm = arm)
      families <- c(families, outcome$family)
    }
  }
  rows <- adjusted(rows, families)
  for (at in seq_along(rows)) {
    row <- rows[[at]]
    put("stats.between_arms", keys[[at]], row)
    row$shift_text <- if (is.na(row$shift)) dash else
      paste0(fixed(row$shift, 1, TRUE), " (", interval(row$shift_low, row$shift_high, row$shift_level), ")")
    row$p_text <- with_floor(row$p_value, row$p_floor)
    put("report.between_arms", keys[[at]], row)
  }
}

arm_row <- function(study, series, visit, arm, reference) {
  has <- complete(study, series, visit)
  changes <- series$values[, visit] - series$values[, study$baseline]
  placed <- study$people$arm
  first <- changes[has & placed %in% arm]
  second <- changes[has & placed %in% reference]
  row <- c(list(n = length(first) + length(second), n_arm = length(first), n_reference = length(second),
                n_missing = sum(placed %in% c(arm, reference)) - length(first) - length(second),
                median_change_arm = middle(first) / series$scale, median_change_reference = middle(second) / series$scale),
           none(words("shift shift_low shift_high shift_level u superiority p_value p_floor family_size p_holm p_bh holm_floor")))
  if (!length(first) || !length(second)) return(row)
  test <- rank_sum(first, second)
  location <- shift(first, second)
  modifyList(row, list(shift = location$estimate / series$scale, shift_low = location$low / series$scale,
                       shift_high = location$high / series$scale, shift_level = location$level, u = test$u,
                       superiority = test$u / (length(first) * length(second)), p_value = test$p, p_floor = test$floor))
}

friedman_table <- function(study, published) {
  if (is.na(study$baseline)) return(invisible())
  for (o in seq_len(nrow(study$outcomes))) for (group in study$groups) {
    outcome <- study$outcomes[o, ]
    series <- series_of(study, outcome$name, group)
    known <- !is.na(series$values)
    held <- which(colSums(known) > 0)
    everywhere <- if (length(held)) rowSums(known[, held, drop = FALSE]) == length(held) else rep(FALSE, nrow(known))
    stratum <- if (is.na(group$stratum)) "" else group$stratum
    id <- paste0("stats.friedman[outcome=", outcome$outcome_id, ";stratum=", stratum, "]")
    method <- published$method[match(id, sub("\\.[^.]*$", "", published$id))]
    found_ <- c(NA, NA)
    if (length(held) >= 3 && any(everywhere) && !is.na(method) && method != "none") {
      found_ <- friedman(series$values[everywhere, held, drop = FALSE], grepl("exact", method))
    }
    put("stats.friedman", list(outcome = outcome$outcome_id, stratum = group$stratum),
        list(n = sum(everywhere), n_missing = nrow(known) - sum(everywhere), n_visits = length(held),
             statistic = found_[1], p_value = found_[2]))
  }
}

nothing <- none(words("n_zero n_eff median_change hl_estimate hl_low hl_high hl_level mean_change mean_low mean_high mean_df
                       p_value p_floor estimate_min estimate_max p_min p_max"))

tested_row <- function(base, post, scale, pratt = FALSE) {
  changes <- post - base
  if (!length(changes)) return(c(list(n = 0), nothing))
  test <- signed_rank(changes, pratt)
  location <- hodges_lehmann(changes)
  modifyList(c(list(n = length(changes)), nothing), list(
    n_zero = test$n_zero, n_eff = test$n_eff, median_change = median(changes) / scale, hl_estimate = location$estimate / scale,
    hl_low = location$low / scale, hl_high = location$high / scale, hl_level = location$level, p_value = test$p,
    p_floor = test$floor))
}

sensitivity_table <- function(study) {
  if (is.na(study$baseline)) return(invisible())
  for (o in seq_len(nrow(study$outcomes))) for (group in study$groups) {
    outcome <- study$outcomes[o, ]
    series <- series_of(study, outcome$name, group)
    model <- modelled(study, series)
    for (visit in study$later) {
      key <- list(outcome = outcome$outcome_id, visit = visit, stratum = group$stratum)
      tell <- function(analysis, row, n_imputed = 0) {
        put("stats.sensitivity", c(key, analysis = analysis), c(row, n_imputed = n_imputed))
      }
      early <- series$values[, study$baseline]
      late <- series$values[, visit]
      has <- !is.na(early)
      both <- has & !is.na(late)
      tell("complete_pairs", tested_row(early[both], late[both], series$scale))
      tell("pratt", tested_row(early[both], late[both], series$scale, TRUE))
      last <- early
      for (before in study$visits$visit_id[seq_len(match(visit, study$visits$visit_id))]) {
        here <- series$values[, before]
        last <- ifelse(is.na(here), last, here)
      }
      carried <- sum(has & is.na(late))
      tell("locf", tested_row(early[has], last[has], series$scale), carried)
      tell("bocf", tested_row(early[has], ifelse(is.na(late), early, late)[has], series$scale), carried)
      ends <- as.numeric(c(outcome$range_low, outcome$range_high))
      if (outcome$better != "lower") ends <- rev(ends)
      for (analysis in c("best_case", "worst_case")) {
        at <- if (analysis == "best_case") rev(ends) else ends
        scale <- series$scale * 1e6
        base <- ifelse(has, early * 1e6, round(at[1] * scale))
        post <- ifelse(is.na(late), round(at[2] * scale), late * 1e6)
        tell(analysis, tested_row(as.numeric(base), as.numeric(post), scale), sum(!both))
      }
      changes <- (late - early)[both]
      up <- sum(changes > 0)
      down <- sum(changes < 0)
      row <- c(list(n = length(changes)), nothing)
      signs <- if (length(changes)) modifyList(row, list(
        n_zero = length(changes) - up - down, n_eff = up + down, median_change = median(changes) / series$scale,
        p_value = toss(up, down), p_floor = toss_floor(up + down))) else row
      tell("sign_test", signs)
      tell("leave_one_out", modifyList(row, left_out(changes, series$scale)))
      if (!is.null(model)) {
        found_ <- model$contrasts[[visit]]
        said <- c(list(n = model$n), nothing)
        tell("mixed_model", if (is.null(found_)) said else modifyList(said, found_))
      }
    }
  }
}

left_out <- function(changes, scale) {
  if (length(changes) < 2 || length(changes) > 300) return(list())
  at <- if (length(changes) > 20) which(!duplicated(changes)) else seq_along(changes)
  estimates <- vapply(at, function(i) hodges_lehmann(changes[-i])$estimate, 0)
  p <- vapply(at, function(i) signed_rank(changes[-i])$p, 0)
  list(estimate_min = min(estimates) / scale, estimate_max = max(estimates) / scale, p_min = min(p), p_max = max(p))
}
