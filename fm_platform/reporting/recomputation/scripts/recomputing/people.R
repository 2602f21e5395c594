# Scores from answers, and who takes part with which values.
# Belongs here: the study as the folder has it. Does not belong here: statistics.
# Values are whole numbers over one scale for each outcome, so that equal changes are equal numbers.

whole <- 232792560 # the least common multiple of 1 to 20: every prorated score is a whole number of these

fiqr <- function(answers, items) {
  # answers: visits x items, NA where there is none. Bennett 2009, doi 10.1186/ar2783.
  domain <- function(at, divisor) {
    own <- answers[, items[at], drop = FALSE]
    given <- rowSums(!is.na(own))
    sums <- rowSums(own, na.rm = TRUE)
    ifelse(2 * given < length(at), NA, round(whole / divisor * sums * length(at) / given))
  }
  parts <- list("function" = domain(1:9, 3), overall = domain(10:11, 1), symptoms = domain(12:21, 2))
  parts$total <- parts[["function"]] + parts$overall + parts$symptoms
  single <- c("pain", "energy", "stiffness", "sleep_quality", "depression", "memory", "anxiety", "tenderness", "balance",
              "env_sensitivity")
  for (at in seq_along(single)) parts[[single[at]]] <- whole * answers[, items[11 + at]]
  parts
}

acr2016 <- function(answers, items) {
  # Wolfe 2016, doi 10.1016/j.semarthrit.2016.08.012.
  regions <- list(c("shoulder_girdle_l", "upper_arm_l", "lower_arm_l"), c("shoulder_girdle_r", "upper_arm_r", "lower_arm_r"),
                  c("hip_l", "upper_leg_l", "lower_leg_l"), c("hip_r", "upper_leg_r", "lower_leg_r"),
                  c("neck", "upper_back", "lower_back"))
  severity <- c("fatigue", "unrefreshed", "cognitive")
  members <- list(wpi = c(unlist(regions), "jaw_l", "jaw_r", "chest", "abdomen"),
                  sss = c(severity, "headache", "abdominal_cramps", "depression"), sss_severity = severity)
  filled <- function(value) {
    own <- answers
    for (item in colnames(own)) {
      own[is.na(own[, item]), item] <- if (value == "max" && item %in% severity) 3 else if (value == "max") 1 else 0
    }
    own
  }
  low <- filled("min")
  high <- filled("max")
  found <- list()
  for (name in names(members)) found[[name]] <- whole * rowSums(answers[, members[[name]], drop = FALSE])
  found$psd <- found$wpi + found$sss
  for (end in c("min", "max")) {
    own <- if (end == "min") low else high
    for (name in c("wpi", "sss")) found[[paste0(name, "_", end)]] <- whole * rowSums(own[, members[[name]], drop = FALSE])
    found[[paste0("psd_", end)]] <- found[[paste0("wpi_", end)]] + found[[paste0("sss_", end)]]
    count <- Reduce(`+`, lapply(regions, function(areas) rowSums(own[, areas, drop = FALSE]) > 0))
    found[[paste0("n_regions_", end)]] <- whole * count
  }
  found$n_regions <- ifelse(found$n_regions_min == found$n_regions_max, found$n_regions_min, NA)
  found
}

fraction <- function(text) {
  parts <- as.numeric(strsplit(text, "/")[[1]])
  if (length(parts) == 2) parts[1] / parts[2] else parts[1]
}

by_rules <- function(answers, rules, members, items) {
  # Any questionnaire, by the rules in scores.csv and score_members.csv.
  found <- list()
  for (at in seq_len(nrow(rules))) {
    rule <- rules[at, ]
    name <- sub("^[^.]*\\.", "", rule$score_id)
    own <- members[members$score_id == rule$score_id, ]
    if (rule$rule == "item") {
      found[[name]] <- whole * answers[, own$member]
    } else if (rule$rule == "total") {
      found[[name]] <- Reduce(`+`, found[own$member])
    } else if (rule$rule == "groups") {
      some <- function(value) Reduce(`+`, lapply(unique(own$group), function(group) {
        part <- answers[, own$member[own$group == group], drop = FALSE]
        part[is.na(part)] <- value
        rowSums(part > 0) > 0
      }))
      low <- some(0)
      high <- some(1)
      found[[name]] <- whole * if (rule$missing == "refuse") ifelse(low == high, low, NA) else if (rule$missing == "lowest") low else high
    } else {
      part <- answers[, own$member, drop = FALSE]
      weight <- fraction(rule$weight)
      given <- rowSums(!is.na(part))
      sums <- rowSums(part, na.rm = TRUE)
      if (rule$missing %in% c("lowest", "highest")) {
        ends <- as.numeric(items[[if (rule$missing == "lowest") "min" else "max"]][match(own$member, items$item)])
        for (column in seq_along(ends)) part[is.na(part[, column]), column] <- ends[column]
        found[[name]] <- whole * weight * rowSums(part)
      } else if (rule$missing == "prorate") {
        enough <- given > 0 & given / ncol(part) >= fraction(rule$min_answered) - 1e-12
        found[[name]] <- ifelse(enough, whole * weight * sums * ncol(part) / given, NA)
      } else {
        found[[name]] <- ifelse(given == ncol(part), whole * weight * sums, NA)
      }
      found[[name]] <- round(found[[name]])
    }
  }
  found
}

instrument_scores <- function() {
  # A frame of name (score or variable), subject, visit, value and scale.
  parts <- list()
  answers <- input("answers")
  items <- input("items")
  given <- input("visits_given")
  recorded <- input("recorded_scores")
  for (instrument in unique(items$instrument)) {
    own_items <- items[items$instrument == instrument, ]
    visits <- given[given$instrument == instrument, ]
    if (rows_of(visits) == 0) next
    names_ <- paste(visits$subject_id, visits$visit_id, sep = "\r")
    table_ <- matrix(NA_real_, nrow(visits), nrow(own_items), dimnames = list(names_, own_items$item))
    own <- answers[answers$instrument == instrument, ]
    if (rows_of(own)) table_[cbind(paste(own$subject_id, own$visit_id, sep = "\r"), own$item)] <- as.numeric(own$answer)
    if (instrument == "fiqr") scored <- fiqr(table_, own_items$item)
    else if (instrument == "acr2016") scored <- acr2016(table_, own_items$item)
    else {
      rules <- input("scores")
      members <- input("score_members")
      scored <- by_rules(table_, rules[rules$instrument == instrument, ], members, own_items)
    }
    for (name in names(scored)) {
      full <- paste0(instrument, ".", name)
      if (full %in% recorded$score_id) next
      parts[[length(parts) + 1]] <- data.frame(name = full, subject = visits$subject_id, visit = visits$visit_id,
                                               value = as.numeric(scored[[name]]), scale = whole)
    }
  }
  if (rows_of(recorded)) {
    parts[[length(parts) + 1]] <- data.frame(name = recorded$score_id, subject = recorded$subject_id, visit = recorded$visit_id,
                                             value = as.numeric(recorded$value_exact), scale = as.numeric(recorded$value_scale))
  }
  measures <- input("measures")
  if (rows_of(measures)) {
    parts[[length(parts) + 1]] <- data.frame(name = measures$variable, subject = measures$subject_id, visit = measures$visit_id,
                                             value = round(as.numeric(measures$value) * 1e6), scale = 1e6)
  }
  all <- do.call(rbind, parts)
  if (is.null(all)) all <- data.frame(name = character(), subject = character(), visit = character(), value = numeric(), scale = numeric())
  all[!is.na(all$value), ]
}

read_study <- function() {
  study <- list()
  study$values <- instrument_scores()
  in_order <- function(frame) frame[order(as.integer(frame$position)), ]
  study$outcomes <- if (rows_of(input("outcomes"))) in_order(input("outcomes")) else
    data.frame(outcome_id = character(), score_id = character(), variable = character(), better = character())
  study$outcomes$name <- ifelse(is.na(study$outcomes$score_id), study$outcomes$variable, study$outcomes$score_id)
  study$visits <- in_order(input("visits"))
  study$baseline <- study$visits$visit_id[study$visits$is_baseline == "true"][1]
  study$later <- setdiff(study$visits$visit_id, study$baseline)
  people <- input("participants")
  people <- people[people$in_population == "true", ]
  study$people <- people[order(people$subject_id, method = "radix"), ]
  strata <- sort(unique(study$people$stratum[!is.na(study$people$stratum)]), method = "radix")
  study$groups <- c(list(list(stratum = NA, people = study$people)),
                    lapply(strata, function(s) list(stratum = s, people = study$people[study$people$stratum %in% s, ])))
  study
}

series_of <- function(study, name, group) {
  # Values (whole numbers over scale) of a group at all visits: a matrix, NA where there is none.
  own <- study$values[study$values$name == name, ]
  own <- own[own$subject %in% group$people$subject_id & own$visit %in% study$visits$visit_id, ]
  scale <- if (nrow(own)) own$scale[1] else 1
  table_ <- matrix(NA_real_, nrow(group$people), nrow(study$visits),
                   dimnames = list(group$people$subject_id, study$visits$visit_id))
  if (nrow(own)) table_[cbind(own$subject, own$visit)] <- own$value
  list(values = table_, scale = scale)
}
