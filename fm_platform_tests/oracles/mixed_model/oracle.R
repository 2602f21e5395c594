# What R says of random-intercept models with REML: seeded simulations, and the TWSTRS of cdystonia.csv where its path
# is given. Estimates, errors, df and p are lmerTest's; nlme fits the same models as a second opinion.
#
#   Rscript fm_platform_tests/oracles/mixed_model/oracle.R FOLDER [cdystonia.csv]

suppressMessages({library(lme4); library(lmerTest); library(nlme)})
arguments <- commandArgs(trailingOnly = TRUE)
set.seed(20)

simulated <- function(name, n, visits, between, within, missing, opposed = FALSE) {
  noise <- matrix(rnorm(n * visits, sd = within), n)
  if (opposed) noise <- noise - 0.9 * rowMeans(noise)
  value <- round(50 + rnorm(n, sd = between) - rep(3 * (seq_len(visits) - 1), each = n) + noise)
  known <- matrix(runif(n * visits) >= missing, n)
  known[, 1] <- TRUE
  known[rowSums(known) == 1, visits] <- TRUE
  at <- which(known, arr.ind = TRUE)
  at <- at[order(at[, 1], at[, 2]), ]
  data.frame(set = name, subject = at[, 1], visit = at[, 2] - 1, value = value[at])
}

inputs <- rbind(simulated("complete", 12, 3, 8, 6, 0), simulated("pairs", 13, 2, 8, 6, 0),
                simulated("holes", 15, 3, 8, 6, 0.25), simulated("many", 150, 5, 12, 3, 0.3),
                simulated("weak", 40, 4, 2, 9, 0.2), simulated("edge", 14, 3, 0, 9, 0.15, opposed = TRUE))
write.csv(inputs, file.path(arguments[1], "inputs.csv"), row.names = FALSE, quote = FALSE, eol = "\n")

if (length(arguments) > 1) {
  trial <- read.csv(arguments[2])
  inputs <- rbind(inputs, data.frame(set = "cdystonia", subject = 100 * trial$site + trial$id,
                                     visit = match(trial$week, c(0, 2, 4, 8, 12, 16)) - 1, value = trial$twstrs))
  trial <- inputs[inputs$set == "cdystonia", ]
  later <- unique(trial$subject[trial$visit > 0])
  first <- unique(trial$subject[trial$visit == 0])
  inputs <- inputs[inputs$set != "cdystonia" | inputs$subject %in% intersect(first, later), ]
}

number <- function(x) sprintf("%.12g", x)
fits <- lapply(unique(inputs$set), function(name) {
  data <- inputs[inputs$set == name, ]
  data$visit <- factor(data$visit)
  fit <- lmerTest::lmer(value ~ visit + (1 | subject), data = data, REML = TRUE,
                        control = lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-12, maxfun = 1e5)))
  second <- lme(value ~ visit, random = ~ 1 | subject, data = data, method = "REML",
                control = lmeControl(opt = "optim", maxIter = 500, msMaxIter = 500, tolerance = 1e-10, msTol = 1e-12,
                                     reltol = 1e-14, returnObject = TRUE))
  told <- coef(summary(fit))[-1, , drop = FALSE]
  also <- summary(second)$tTable[-1, , drop = FALSE]
  variances <- as.data.frame(VarCorr(fit))$vcov
  data.frame(set = name, visit = as.integer(sub("visit", "", rownames(told))), estimate = number(told[, "Estimate"]),
             error = number(told[, "Std. Error"]), df = number(told[, "df"]), p_value = number(told[, "Pr(>|t|)"]),
             between = number(variances[1]), within = number(variances[2]), nlme_estimate = number(also[, "Value"]),
             nlme_error = number(also[, "Std.Error"]),
             versions = sprintf("R %s; lme4 %s; lmerTest %s; nlme %s", getRversion(), packageVersion("lme4"),
                                packageVersion("lmerTest"), packageVersion("nlme")))
})
write.csv(do.call(rbind, fits), file.path(arguments[1], "oracle.csv"), row.names = FALSE, quote = FALSE, eol = "\n")
