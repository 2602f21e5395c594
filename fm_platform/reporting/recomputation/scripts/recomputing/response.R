# Who responded, how many that are under each denominator, and whether it changed or differed between arms.
# Belongs here: stats.responders, stats.responder_rates, stats.mcnemar, stats.responder_arms and report.responders.

yes <- "responder"
no <- "non-responder"
zero <- "baseline is zero"
missing_ <- "value missing"

verdicts <- function(study, name, visit, percent, better) {
  series <- series_of(study, name, study$groups[[1]])
  subjects <- study$people$subject_id
  base <- if (is.na(study$baseline)) rep(NA_real_, length(subjects)) else series$values[subjects, study$baseline]
  post <- series$values[subjects, visit]
  gained <- if (better == "lower") base - post else post - base
  said <- ifelse(is.na(base) | is.na(post), missing_,
                 ifelse(base <= 0, zero, ifelse(100 * gained >= percent * base, yes, no)))
  setNames(said, subjects)
}

statuses <- function(study) {
  # Definition to visit to the verdict of each subject.
  found_ <- list()
  definitions <- input("responders")
  for (at in seq_len(rows_of(definitions))) {
    row <- definitions[at, ]
    outcome <- study$outcomes[study$outcomes$outcome_id == row$outcome_id, ]
    if (!nrow(outcome)) next
    found_[[row$responder_id]] <- lapply(setNames(nm = study$later), function(visit)
      verdicts(study, outcome$name, visit, as.numeric(row$reduction_percent), outcome$better))
  }
  criteria <- input("composites")
  for (composite in unique(criteria$responder)) {
    own <- criteria[criteria$responder == composite, ]
    found_[[composite]] <- lapply(setNames(nm = study$later), function(visit) {
      judged <- lapply(seq_len(nrow(own)), function(i)
        verdicts(study, own$score_id[i], visit, as.numeric(own$reduction_percent[i]), own$better[i]))
      met <- possible <- rep(TRUE, nrow(study$people))
      for (criterion in unique(own$criterion)) {
        at <- which(own$criterion == criterion)
        least <- as.numeric(own$at_least[at[1]])
        sure <- Reduce(`+`, lapply(judged[at], function(x) x == yes))
        open <- Reduce(`+`, lapply(judged[at], function(x) x != no))
        met <- met & sure >= least
        possible <- possible & open >= least
      }
      gap <- Reduce(`|`, lapply(judged, function(x) x == missing_))
      setNames(ifelse(met, yes, ifelse(!possible, no, ifelse(gap, missing_, zero))), study$people$subject_id)
    })
  }
  found_
}

rate_columns <- function(x, n) {
  exact <- clopper_pearson(x, n)
  score <- wilson(x, n)
  list(rate = if (n) x / n else NA, ci_low = exact[1], ci_high = exact[2], ci_level = if (n) 0.95 else NA,
       wilson_low = score[1], wilson_high = score[2])
}

response_tables <- function(study, judged) {
  declared <- input("responders")$responder_id
  for (responder in names(judged)) {
    for (visit in study$later) for (group in study$groups) {
      own <- judged[[responder]][[visit]][group$people$subject_id]
      x <- sum(own == yes)
      n <- x + sum(own == no)
      lost <- sum(own == missing_)
      none_ <- sum(own == zero)
      key <- list(responder = responder, visit = visit, stratum = group$stratum)
      if (responder %in% declared) {
        n_nri <- length(own) - none_
        imputed <- clopper_pearson(x, n_nri)
        row <- c(rate_columns(x, n), list(n = n, responders = x, n_expected = length(own), n_missing = lost, n_base_zero = none_,
                                          n_nri = n_nri, rate_nri = if (n_nri) x / n_nri else NA, nri_low = imputed[1],
                                          nri_high = imputed[2]))
        put("stats.responders", key, row)
        said <- share_of(x, n_nri)
        put("report.responders", key, c(row, list(
          rate_text = share_of(x, n), ci_text = share_interval(row$ci_low, row$ci_high),
          nri_text = if (said == dash) said else paste0(said, "; ", share_interval(imputed[1], imputed[2])))))
      }
      for (denominator in c("observed cases", "non-responder imputation", "best case")) {
        n_used <- n + if (denominator == "observed cases") 0 else lost
        x_used <- x + if (denominator == "best case") lost else 0
        put("stats.responder_rates", c(key, denominator = denominator),
            c(rate_columns(x_used, n_used), list(n = n_used, responders = x_used, n_missing = lost, n_base_zero = none_)))
      }
    }
    if (length(study$later) > 1) {
      pairs <- combn(study$later, 2)
      for (at in seq_len(ncol(pairs))) for (group in study$groups) {
        one <- judged[[responder]][[pairs[1, at]]][group$people$subject_id]
        two <- judged[[responder]][[pairs[2, at]]][group$people$subject_id]
        known <- one %in% c(yes, no) & two %in% c(yes, no)
        one <- one[known] == yes
        two <- two[known] == yes
        lost <- sum(one & !two)
        won <- sum(!one & two)
        put("stats.mcnemar", list(responder = responder, first_visit = pairs[1, at], second_visit = pairs[2, at],
                                  stratum = group$stratum),
            list(n = sum(known), both = sum(one & two), only_first = lost, only_second = won, neither = sum(!one & !two),
                 p_value = if (any(known)) toss(lost, won) else NA, p_floor = if (any(known)) toss_floor(lost + won) else NA))
      }
    }
  }
}

responder_arms_table <- function(study, judged) {
  arms <- arms_of(study)
  for (responder in names(judged)) for (visit in study$later) for (arm in setdiff(arms$arms, arms$reference)) {
    verdict <- judged[[responder]][[visit]][study$people$subject_id]
    for (denominator in c("observed cases", "non-responder imputation")) {
      counted <- c(yes, no, if (denominator != "observed cases") missing_)
      own <- verdict[study$people$arm %in% arm]
      other <- verdict[study$people$arm %in% arms$reference]
      m <- sum(own %in% counted)
      n <- sum(other %in% counted)
      x <- sum(own == yes)
      y <- sum(other == yes)
      row <- list(n = m + n, n_arm = m, responders_arm = x, rate_arm = if (m) x / m else NA, n_reference = n,
                  responders_reference = y, rate_reference = if (n) y / n else NA, rate_difference = NA,
                  n_missing = sum(own == missing_) + sum(other == missing_), p_value = NA, p_floor = NA)
      if (m && n) {
        test <- fisher(x, m, y, n)
        row[c("rate_difference", "p_value", "p_floor")] <- list(x / m - y / n, test[1], test[2])
      }
      put("stats.responder_arms", list(responder = responder, visit = visit, arm = arm, denominator = denominator), row)
    }
  }
}
