# Who took part, what was recorded, what the gate did, and what a trial would need.
# Belongs here: report.characteristics, report.completeness, page.values_recorded, page.data_quality and stats.planning.

characteristics_table <- function(study) {
  empty <- none(words("median q1 q3 low high count percent"))
  for (group in study$groups) {
    size <- nrow(group$people)
    tell <- function(variable, level, row) {
      put("report.characteristics", list(variable = variable, level = level, stratum = group$stratum), modifyList(empty, row))
    }
    tell("n", NA, list(n = size, n_missing = 0, count = size, value = as.character(size)))
    if (any(!is.na(study$people$age))) {
      ages <- as.numeric(group$people$age[!is.na(group$people$age)])
      row <- list(n = length(ages), n_missing = size - length(ages), value = dash)
      if (length(ages)) {
        five <- quantile(ages, c(0.5, 0.25, 0.75, 0, 1), names = FALSE)
        row <- c(row[1:2], list(median = five[1], q1 = five[2], q3 = five[3], low = five[4], high = five[5],
                                value = paste0(short(five[1]), " (", short(five[4]), " to ", short(five[5]), ")")))
      }
      tell("age", NA, row)
      if (anyNA(study$people$age)) {
        tell("age", "Unknown", list(n = length(ages), n_missing = size - length(ages), count = size - length(ages),
                                    value = as.character(size - length(ages))))
      }
    }
    for (variable in c("sex", "arm", "site")) {
      levels_ <- unique(study$people[[variable]][!is.na(study$people[[variable]])])
      own <- group$people[[variable]]
      n <- sum(!is.na(own))
      for (level in levels_) {
        count <- sum(own %in% level)
        tell(variable, level, list(n = n, n_missing = size - n, count = count, percent = if (n) 100 * count / n else NA,
                                   value = if (n) paste0(count, " (", percent(count, n), ")") else as.character(count)))
      }
      if (length(levels_) && anyNA(study$people[[variable]])) {
        unknown <- "Unknown"
        while (unknown %in% levels_) unknown <- paste(unknown, "(not recorded)")
        tell(variable, unknown, list(n = n, n_missing = size - n, count = size - n, value = as.character(size - n)))
      }
    }
  }
}

completeness_table <- function(study) {
  people <- study$people$subject_id
  given <- input("visits_given")
  given <- given[given$subject_id %in% people & given$took_place == "true", ]
  answers <- input("answers")
  answers <- answers[answers$subject_id %in% people, ]
  items <- input("items")
  for (at in seq_len(rows_of(items))) {
    item <- items[at, ]
    own <- answers[answers$instrument == item$instrument & answers$item == item$item, ]
    if (item$asked != "true" || (item$optional == "true" && !rows_of(own))) next
    for (visit in study$visits$visit_id) {
      n_given <- sum(given$instrument == item$instrument & given$visit_id == visit)
      n_answered <- sum(own$visit_id == visit)
      put("report.completeness", list(instrument = item$instrument, item = item$item, visit = visit),
          list(n_expected = length(people), n_given = n_given, n_answered = n_answered, n_missing = n_given - n_answered,
               share = if (n_given) n_answered / n_given else NA))
    }
  }
}

recorded_table <- function(study) {
  people <- study$people$subject_id
  for (at in seq_len(nrow(study$outcomes))) for (visit in study$visits$visit_id) {
    own <- study$values$subject[study$values$name == study$outcomes$name[at] & study$values$visit == visit]
    put("page.values_recorded", list(outcome = study$outcomes$outcome_id[at], visit = visit),
        list(value = paste0(length(intersect(people, own)), "/", length(people))))
  }
}

data_quality_table <- function() {
  rows <- input("delivered_rows")
  for (source in unique(rows$source)) {
    own <- rows[rows$source == source, ]
    aside <- sum(own$set_aside == "true")
    put("page.data_quality", list(source = source),
        list(rows_read = nrow(own), rows_accepted = nrow(own) - aside, rows_set_aside = aside,
             cells_emptied = sum(as.numeric(own$cells_emptied))))
  }
}

up <- function(number) ceiling(number - 1e-9)

planning_table <- function(study, judged) {
  z <- qnorm(0.975)
  empty <- none(words("effect sd sd_low sd_high correlation power n_per_group n_enrolled n"))
  tell <- function(design, variable, visit, assumption, power, row) {
    row <- modifyList(empty, c(row, list(power = power, n_enrolled = up(row$n_per_group / 0.85))))
    put("stats.planning", list(design = design, variable = variable, visit = visit, assumption = assumption,
                               target_power = power), row)
  }
  important <- input("important_differences")
  for (o in seq_len(if (is.na(study$baseline)) 0 else nrow(study$outcomes))) for (visit in study$later) {
    outcome <- study$outcomes[o, ]
    series <- series_of(study, outcome$name, study$groups[[1]])
    has <- complete(study, series, visit)
    base <- series$values[has, study$baseline] / series$scale
    post <- series$values[has, visit] / series$scale
    n <- length(base)
    if (n < 3) next
    for (effect in if (n <= 200) c(0.5, 0.8, 1.2, 2) else numeric(0)) {
      words_ <- paste("true change of", effect, "standard deviations of change")
      put("stats.planning", list(design = "paired series of this size", variable = outcome$outcome_id, visit = visit,
                                 assumption = words_, target_power = NA),
          modifyList(empty, list(effect = effect, n_per_group = n, n = n))[setdiff(names(empty), "power")])
    }
    spread <- sd(base)
    if (spread == 0) next
    limits <- spread * sqrt((n - 1) / qchisq(c(0.975, 0.025), n - 1))
    r <- if (sd(post) > 0) cor(base, post) else 0
    effects <- setNames(c(0.3, 0.5, 0.8) * spread, paste("difference of", c(0.3, 0.5, 0.8), "baseline standard deviations"))
    own <- important[important$score_id %in% outcome$score_id, ]
    for (at in seq_len(rows_of(own))) {
      value <- as.numeric(own$value[at])
      effects[own$words[at]] <- if (own$unit[at] == "percent") value * mean(base) / 100 else value
    }
    for (name in names(effects)) for (power in c(0.8, 0.9)) {
      effect <- effects[[name]]
      if (effect <= 0) next
      t_test <- up(2 * ((z + qnorm(power)) * spread / effect)^2 + z^2 / 4)
      needed <- c("two arms, t test" = t_test, "two arms, rank-sum test" = up(t_test * pi / 3),
                  "two arms, baseline-adjusted" = up(t_test * (1 - r^2)))
      for (design in names(needed)) {
        tell(design, outcome$outcome_id, visit, name, power,
             list(effect = effect, sd = spread, sd_low = limits[1], sd_high = limits[2],
                  correlation = if (grepl("adjusted", design)) r else NA, n_per_group = max(2, needed[[design]]), n = n))
      }
    }
  }
  for (responder in names(judged)) for (visit in study$later) for (control in c(0.2, 0.3, 0.4)) {
    own <- judged[[responder]][[visit]]
    n <- sum(own %in% c(yes, no, missing_))
    x <- sum(own == yes)
    rate <- if (n) x / n else 0
    if (rate <= control || rate >= 1) next
    for (power in c(0.8, 0.9)) {
      mean_ <- (rate + control) / 2
      needed <- up(((z * sqrt(2 * mean_ * (1 - mean_)) + qnorm(power) * sqrt(rate * (1 - rate) + control * (1 - control))) /
                      (rate - control))^2)
      tell("two arms, responders", responder, visit, sprintf("%d/%d observed, %.0f%% in the control arm", x, n, 100 * control),
           power, list(effect = rate - control, n_per_group = needed, n = n))
    }
  }
}
