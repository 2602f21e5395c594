# What R says about inputs.csv: one row a data set and test, with the versions that said it.
#
#   Rscript fm_platform_tests/oracles/signed_rank/oracle.R inputs.csv oracle.csv
#
# Needs the packages exactRankTests and coin. Where a test is not defined (no change at all) the p is NA.

suppressWarnings(suppressMessages({
  library(exactRankTests)
  library(coin)
}))

arguments <- commandArgs(trailingOnly = TRUE)
input <- read.csv(arguments[1], colClasses = c("character", "character", "character", "integer"))
versions <- sprintf("R %s; exactRankTests %s; coin %s", getRversion(),
                    packageVersion("exactRankTests"), packageVersion("coin"))

quiet <- function(expression) tryCatch(suppressWarnings(expression), error = function(e) c(NA, NA))

paired <- function(d) {
  moved <- d[d != 0]
  one <- quiet({ t <- wilcox.exact(d, exact = TRUE); c(unname(t$statistic), t$p.value) })
  two <- quiet({
    zero <- rep(0L, length(d))
    t <- wilcoxsign_test(d ~ zero, distribution = "exact", zero.method = "Pratt")
    c(as.numeric(statistic(t, type = "linear")), as.numeric(pvalue(t)))
  })
  three <- quiet({ t <- binom.test(sum(moved > 0), length(moved)); c(unname(t$statistic), t$p.value) })
  rbind(wilcox.exact = one, wilcoxsign_test.pratt = two, binom.test = three)
}

two_arm <- function(a, b) {
  one <- quiet({ t <- wilcox.exact(b, a, exact = TRUE); c(unname(t$statistic), t$p.value) })
  arm <- factor(rep(c("b", "a"), c(length(b), length(a))), levels = c("b", "a"))
  two <- quiet({
    t <- wilcox_test(c(b, a) ~ arm, distribution = "exact")
    c(as.numeric(statistic(t, type = "linear")), as.numeric(pvalue(t)))
  })
  rbind(wilcox.exact.two_sample = one, wilcox_test = two)
}

rows <- lapply(unique(input$set_id), function(id) {
  set <- input[input$set_id == id, ]
  found <- if (set$kind[1] == "paired") paired(set$change) else
    two_arm(set$change[set$arm == "a"], set$change[set$arm == "b"])
  data.frame(set_id = id, test = rownames(found), statistic = sprintf("%.17g", found[, 1]),
             p_value = sprintf("%.17g", found[, 2]), versions = versions)
})
write.csv(do.call(rbind, rows), arguments[2], row.names = FALSE, quote = FALSE, eol = "\n")
